"""What `taxagent service` says, Chinese and English."""

from __future__ import annotations

from taxagent.model.faults import Lang

_SAY: dict[str, tuple[str, str]] = {
    "about": ("安装、卸载、查看系统服务", "install, uninstall or look at the system's service"),
    "install": ("安装服务：用户、目录、单元、规则", "install it: users, folders, unit, rules"),
    "uninstall": (
        "卸载服务；日志、备份、配置保留",
        "take it away; journal, back-ups and configuration are kept",
    ),
    "status": ("服务装好了没有、在不在运行", "is it installed, does it run"),
    "configure": ("设置恢复操作、延迟启动等", "set recovery actions, delayed start and so on"),
    "start": ("启动服务，直到就绪", "start it, until it is ready"),
    "stop": ("停止服务，等当前步骤做完", "stop it, once what it has in hand is at a safe point"),
    "run": ("由服务控制管理器启动", "what the service control manager starts"),
    "config": ("配置文件", "the configuration"),
    "stands": (
        "服务      {state}，进程 {pid}，上次代码 {code}",
        "service   {state}, process {pid}, code {code}",
    ),
    "root": ("装到这个目录之下，不启动任何东西", "install below this folder and start nothing"),
    "program": ("由单元启动的 taxagent", "the taxagent that the unit starts"),
    "dry_run": ("只说会做什么，什么也不做", "say what would be done and do nothing"),
    "purge": ("连日志、备份、密码、用户一起删除", "remove journal, back-ups, passwords and user as well"),
    "yes": ("不再询问", "do not ask"),
    "would": ("试运行，只说会做什么：", "Dry run, this would be done:"),
    "written": ("写入      {what}", "written   {what}"),
    "replaced": ("替换      {what}", "replaced  {what}"),
    "same": ("已经一致  {what}", "in place  {what}"),
    "differs": ("不一致    {what}", "differs   {what}"),
    "removed": ("删除      {what}", "removed   {what}"),
    "absent": ("没有      {what}", "not there {what}"),
    "ran": ("执行      {what}", "ran       {what}"),
    "failed": ("失败      {what}：{why}", "FAILED    {what}: {why}"),
    "not_there": ("未安装    {what}（已跳过）", "skipped   {what} (not installed)"),
    "kept": ("保留      {what}", "kept      {what}"),
    "packaged": ("软件包    由系统软件包安装", "package   installed as a package of the system"),
    "packaged_install": (
        (
            "服务已由系统软件包安装，用户、单元和规则都由它管理。修复：apt-get install --reinstall taxagent。"
            "配置：taxagent setup。改单元：systemctl edit taxagent。"
        ),
        (
            "The service is installed as a package of the system, which looks after users, unit and rules. "
            "To mend it: apt-get install --reinstall taxagent. To configure it: taxagent setup. "
            "To change the unit: systemctl edit taxagent."
        ),
    ),
    "packaged_uninstall": (
        "服务由系统软件包安装：apt-get remove taxagent（保留日志、备份、配置），或 apt-get purge taxagent。",
        (
            "The service is installed as a package of the system: apt-get remove taxagent (keeps journal, "
            "back-ups and configuration), or apt-get purge taxagent."
        ),
    ),
    "not_root": ("请以 root 运行。", "Run this as root."),
    "hidden": (
        "{path} 在服务看不到的地方（/home、/root、/tmp）；请把 taxagent 装到 /opt。",
        "The service cannot see {path} (nothing of /home, /root, /tmp): install taxagent under /opt.",
    ),
    "no_program": ("没有这个程序：{path}", "There is no such program: {path}"),
    "no_systemd": ("本机没有 systemd。", "There is no systemd on this host."),
    "sure": (
        "日志、备份和密码将被永久删除。要继续请输入 yes 或 是：",
        "Journal, back-ups and passwords will be gone for good. Type yes to go on:",
    ),
    "left": ("什么也没有做。", "Nothing was done."),
    "next": (
        "下一步：taxagent setup，然后 systemctl start taxagent",
        "next: taxagent setup, then systemctl start taxagent",
    ),
    "unit": (
        "单元      {active}（{sub}），开机启动 {enabled}，重启 {restarts} 次，上次退出 {result}/{code}",
        "unit      {active} ({sub}), {enabled}, {restarts} restarts, last exit {result}/{code}",
    ),
    "socket": (
        "指标端口  {active}（{sub}），开机启动 {enabled}（taxagent-metrics.socket）",
        "socket    {active} ({sub}), {enabled} (taxagent-metrics.socket, for metrics)",
    ),
    "enabled": ("是", "enabled"),
    "disabled": ("否", "disabled"),
    "says": ("它说      {text}", "it says   {text}"),
    "unasked": ("单元      问不到 systemd", "unit      systemd cannot be asked"),
}


def say(key: str, lang: Lang, **facts: object) -> str:
    """Return the sentence in the language."""
    return _SAY[key][lang != "zh"].format(**facts)
