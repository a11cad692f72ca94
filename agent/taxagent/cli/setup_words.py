"""What `taxagent setup` says, Chinese and English."""

from __future__ import annotations

from taxagent.model.faults import Lang
from taxagent.model.reasons import reason
from taxagent.model.words import word

_SAY: dict[str, tuple[str, str]] = {
    "seen": ("USB 上见到的税控设备：", "Tax-control devices on USB:"),
    "none_seen": (
        "没有见到税控设备；可以先配置，以后再插。",
        "None is seen; you can go on and plug it in later.",
    ),
    "ours": ("  {name}（{location}）", "  {name} ({location})"),
    "vendors": (
        "  {name}（{location}）：由厂商软件操作，本代理不操作",
        "  {name} ({location}): driven by its vendor's software; this agent does not drive it",
    ),
    "exists": (
        "{path} 已经存在。要替换吗（旧文件另存为 .old）？输入 yes 或 是：",
        "{path} exists. Replace it (the old one is kept as .old)? Type yes:",
    ),
    "kept": ("保留原有配置，什么也没有写。", "The configuration stays as it is; nothing was written."),
    "language": ("代理的语言 zh/en", "The agent's language, zh/en"),
    "state_dir": ("状态目录（日志、备份）", "State directory (journal, back-ups)"),
    "endpoint": ("套接字", "Socket"),
    "run_as": ("代理以哪个用户运行", "The user as whom the agent runs"),
    "url": ("税务网关地址 https://", "The gateway's address, https://"),
    "ca": ("CA 证书文件", "File of the gateway's authority (ca)"),
    "certificate": ("代理的证书文件", "File of the agent's certificate"),
    "key": ("代理的私钥文件", "File of the agent's key"),
    "access": (
        "谁可以使用代理：用户=角色，@用户组=角色（角色 viewer operator technician admin）",
        "Who may use the agent: NAME=ROLE, @GROUP=ROLE (roles viewer operator technician admin)",
    ),
    "path_missing": (
        "  ! 还读不到 {path}；先记下，请之后放好。",
        "  ! {path} cannot be read yet; put it there later.",
    ),
    "no_user": ("没有这个用户：{name}", "There is no user {name}"),
    "written": ("已写入 {path}", "Written: {path}"),
    "device": (
        "设备 {device_no}（{kind}），密码还可以试 {tries} 次。",
        "Device {device_no} ({kind}), {tries} password tries left.",
    ),
    "last_try": (
        "  只剩最后一次机会，不试。请先在开票软件中登录一次。",
        "  One try is left: it is not spent. Log in once in the invoicing program first.",
    ),
    "password": (
        "  设备密码（只会试一次；直接回车跳过）",
        "  The device's password (tried once; Enter leaves it out)",
    ),
    "password_kept": (
        "  设备密码（已经保存过；直接回车沿用）",
        "  The device's password (one is stored; Enter keeps it)",
    ),
    "again": ("  再输一次", "  Once more"),
    "differ": ("两次不一样", "the two are not the same"),
    "skipped": (
        "  没有密码；以后用 taxagent secret set device-{device_no} 保存。",
        "  No password; store it later with taxagent secret set device-{device_no}.",
    ),
    "stored": ("  密码正确，已保存。", "  The password is right; it is stored."),
    "taxpayer": (
        "  纳税人 {taxpayer_id} {name}，开票机 {terminal}",
        "  Taxpayer {taxpayer_id} {name}, terminal {terminal}",
    ),
    "problem": ("  ! {title}。{cause}{remedy}", "  ! {title}. {cause} {remedy}"),
    "region": (
        "所在地区（使用为它公布的征期；没有就直接回车）",
        "Region (whose announced deadlines count; Enter for none)",
    ),
    "contact": (
        "出问题时找谁帮忙：姓名和电话（可以不填）",
        "Whom to ask for help: name and telephone (may be empty)",
    ),
    "cycle": (
        "  设备 {device_no} 的纳税人按月还是按季申报 month/quarter",
        "  How often does the taxpayer of device {device_no} file, month/quarter",
    ),
    "cycle_how": ("请输入 month（按月）或 quarter（按季）", "type month or quarter"),
    "checking": ("检查设备 {device_no}：", "Check of device {device_no}:"),
    "running": (
        "代理正在运行，设备由它读取；密码请用 taxagent secret set 保存，然后重启代理。",
        "The agent runs and reads the devices; store passwords with taxagent secret set, then restart it.",
    ),
    "looking": ("检查：", "Looking at what is there:"),
    "next": ("启动代理：taxagent run --config {path}", "Start the agent: taxagent run --config {path}"),
}


def say(sentence: str, lang: Lang, /, **facts: object) -> str:
    """Return a sentence with its facts."""
    return _SAY[sentence][0 if lang == "zh" else 1].format(**facts)


def worded(told: str, lang: Lang) -> str:
    """Return what is allowed, or what is wrong, in the language of who is asked."""
    allowed = word("expected", told, lang)
    return allowed if allowed != told else reason(told, lang)


def sentences() -> tuple[str, ...]:
    """Return the names of all sentences."""
    return tuple(_SAY)
