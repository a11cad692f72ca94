"""taxctl's sentences, Chinese and English, with their facts in {0}, {1}. Knows no command."""

from __future__ import annotations

Words = dict[str, tuple[str, str]]  # code -> (Chinese, English)

TEXT: Words = {
    "no_devices": ("没有配置税控设备", "no tax-control device is configured"),
    "simulated": ("（这是模拟）", " (SIMULATION)"),
    "before": ("{0}（{1}之前）", "{0} before: {1}"),
    "all_open": ("现在没有不可办理的限制", "nothing stands in the way now"),
    "stale": ("数据可能已过时", "may be out of date"),
    "not_plugged": ("未插入", "not plugged in"),
    "held_by_agent": ("由本代理占用", "held by this agent"),
    "held_by": ("由 {0} 占用", "held by {0}"),
    "deadline": ("开票截止 {0}，最近报税 {1}", "invoicing until {0}, last report {1}"),
    "locked": ("已锁死", "LOCKED"),
    "overdue": ("逾期超过 90 天", "more than 90 days overdue"),
    "pending": ("{0} 张未上传", "{0} not uploaded"),
    "all_settled": ("没有待办的月份", "no month is due"),
    "live_jobs": ("进行中的任务", "live jobs"),
    "more_live": ("另有 {0} 个：taxctl job list --live", "{0} more: taxctl job list --live"),
    "seen": ("识别到的其他税控设备（不操作）", "other tax-control devices (named, not driven)"),
    "verifying": ("正在核验日志，暂不接受办理", "the journal is being verified; no work is accepted yet"),
    "draining": ("代理正在停止", "the agent is stopping"),
    "taxpayer": ("纳税人 {0} {1}，开票机 {2}", "taxpayer {0} {1}, terminal {2}"),
    "totals_of": ("{0} 的发票（金额单位：元）", "invoices of {0} (in yuan)"),
    "total": ("合计", "total"),
    "will": ("将要执行", "what will be done"),
    "nothing_left": (
        "没有：此前已经办完",
        "nothing: it was done before",
    ),
    "warning": ("提醒", "note"),
    "ask": ("确认执行吗？输入 yes 或 是：", "Go on? Type yes: "),
    "declined": ("没有确认，什么也没有执行。", "Not confirmed; nothing was done."),
    "waits": ("等待：{0}。{1}", "waits: {0}. {1}"),
    "goes_on": (
        "任务会自动继续；查看进度：taxctl job wait {0}",
        "The job goes on by itself; follow it with: taxctl job wait {0}",
    ),
    "found": (
        "同一请求此前已提交，这是它的任务。",
        "The same request was submitted before; this is its job.",
    ),
    "record": ("记录：taxctl record get {0}", "record: taxctl record get {0}"),
    "remedy": ("怎么办：{0}", "what to do: {0}"),
    "retry_at": ("下次尝试 {0}", "next attempt {0}"),
    "taken": ("已 {0} 秒", "{0} s"),
    "pace": ("已 {0} 秒，通常 {1} 秒，{2}", "{0} s, usually {1} s, {2}"),
    "normal": ("正常", "still normal"),
    "longer": ("比平时久", "longer than usual"),
    "none": ("没有", "none"),
    "no_agent": ("没有代理在 {0} 应答", "no agent answers at {0}"),
    "start_agent": (
        "请确认 taxagent 正在运行（taxagent run --config 文件），以及 --endpoint 是否正确。",
        "See that taxagent is running (taxagent run --config FILE) and that --endpoint is right.",
    ),
    "agent_unavailable": ("没有代理应答", "no agent answers"),
    "nothing_sent": (
        "在通信地址上没有代理应答，请求没有发出。",
        "Nothing answers at the endpoint; the request was not sent.",
    ),
    "timeout_means": (
        "请求已发出，代理没有及时回答。只查询的请求没有影响；要办理的请求可能已经受理。",
        "No answer came in time. A question changed nothing; a request for work may have been accepted.",
    ),
    "garbled_means": (
        "收到的应答不符合协议；要办理的请求可能已经受理。",
        "What came is not what the protocol says; a request for work may have been accepted.",
    ),
    "explain_alone": (
        "没有代理时请用：taxagent explain {0}",
        "without an agent: taxagent explain {0}",
    ),
    "vendor_code": ("{0}（{1}）：{2}", "{0} ({1}): {2}"),
    "listed": ("、", ", "),
    "timeout": ("代理没有及时回答", "the agent did not answer in time"),
    "ask_again": (
        "结果尚不知道。再次运行同一命令会先查询这个请求，不会重复执行。",
        "The result is not known. The same command asks for this request first and does nothing twice.",
    ),
    "try_later": ("什么也没有执行，请稍后再试。", "Nothing was done; try again later."),
    "garbled": ("代理的回答无法理解", "the agent's answer cannot be understood"),
    "malformed": ("请求的格式不对", "the request is out of form"),
    "form": ("什么也没有发出。请检查命令的参数。", "Nothing was sent. See the command's arguments."),
    "update": (
        "请把 taxctl 和 taxagent 更新到相互匹配的版本。",
        "Update taxctl and taxagent to versions that match.",
    ),
    "out_of_form": ("“{0}”的写法不对", "{0!r} is not written as it must be"),
    "how_moment": (
        "时间请写成 2026-11-15T09:30（北京时间）。",
        "Write a time as 2026-11-15T09:30 (Asia/Shanghai).",
    ),
    "how_quarter": ("季度请写成 2026Q3。", "Write a quarter as 2026Q3."),
    "how_period": ("月份请写成 2026-10。", "Write a month as 2026-10."),
    "how_device": (
        "设备编号是 12 位数字；taxctl status 会列出设备。",
        "A device's number has 12 digits; taxctl status lists the devices.",
    ),
    "how_type": ("发票类型是 3 位数字，例如 007。", "An invoice type has 3 digits, for example 007."),
    "how_taxpayer": (
        "纳税人识别号是 15、17、18 或 20 位数字和大写字母。",
        "A taxpayer's number has 15, 17, 18 or 20 digits and capital letters.",
    ),
    "how_job": (
        "任务编号是 26 位数字和大写字母；taxctl job list 会列出任务。",
        "A job's id has 26 digits and capital letters; taxctl job list lists the jobs.",
    ),
    "how_key": (
        "请求编号是 16 到 64 位字母、数字、点、下划线或连字符。",
        "A key has 16 to 64 letters, digits, dots, underscores or hyphens.",
    ),
    "how_code": ("发票代码是 10 或 12 位数字。", "An invoice code has 10 or 12 digits."),
    "how_number": ("发票号码是 8 位数字。", "An invoice number has 8 digits."),
    "no_state": ("无法保存请求的编号：{0}", "the request's key cannot be stored: {0}"),
    "state_how": (
        "什么也没有发出。请检查 ~/.local/state/taxctl（或 $XDG_STATE_HOME）是否可写。",
        "Nothing was sent. See that ~/.local/state/taxctl (or $XDG_STATE_HOME) can be written.",
    ),
    "token_needed": ("此操作需要确认", "this needs a confirmation"),
    "token_how": (
        (
            "没有终端可以确认。请先运行 {0} --prepare，再把它给出的确认码用 {0} --token 交回；"
            "配置中已授权（[consent]）的程序用 {0} --yes。"
        ),
        (
            "There is no terminal to confirm at. Run {0} --prepare first, then {0} --token with the token "
            "that it gives; a program under a standing consent ([consent]) uses {0} --yes."
        ),
    ),
    "already_done": (
        "此前已经办完，没有要确认的；由本代理办理的，记录见 taxctl record list。",
        "It was done before: nothing is left to confirm. What this agent did is in taxctl record list.",
    ),
    "auth_refused": (
        "代理不认这台客户端的密钥（{0}），或者已经吊销",
        "the agent does not count this client's key ({0}), or counts it no more",
    ),
    "auth_handshake": (
        "{0} 的公钥与密钥文件里的不同，或者那里不是税控代理",
        "what answers at {0} has another public key than the key file says, or is no agent",
    ),
    "auth_no_key": ("没有 {0} 的密钥文件", "there is no key file for {0}"),
    "auth_key_file": ("密钥文件不能用：{0}", "the key file cannot be used: {0}"),
    "auth_code": (
        "配对码已作废：用过、过期、输错三次，或者发出了新的",
        "the code counts no more: redeemed, too old, three wrong tries, or a new one was given out",
    ),
    "pair_first": (
        "请管理员在代理的电脑上运行 taxagent pair，然后在这里运行 taxctl pair",
        "have the administrator run taxagent pair on the agent's computer, then run taxctl pair here",
    ),
    "pair_form": (
        "配对码是 16 个字母和数字，例如 K7QM-4X9T-P2RD-3F8W",
        "a code has 16 letters and digits, as K7QM-4X9T-P2RD-3F8W",
    ),
    "pair_check": (
        "配对码有误，或者属于另一个代理；没有发送，不计入次数",
        "the code is mistyped, or belongs to another agent; nothing was sent, no try is lost",
    ),
    "pair_again": ("请核对后再试", "look at it again, and try once more"),
    "pair_no_agent": (
        "找不到代理的 endpoint.json（{0}）",
        "the agent's endpoint.json is not found ({0})",
    ),
    "pair_where": (
        "写出 --endpoint tcp://地址:端口 和 --server-key 公钥，taxagent pair 会显示它们",
        "give --endpoint tcp://ADDRESS:PORT and --server-key KEY, as taxagent pair shows them",
    ),
    "pair_not_stored": ("密钥文件写不进去：{0}", "the key file cannot be written: {0}"),
    "barred": ("您没有权限使用代理的通信地址 {0}", "you may not use the agent's socket: {0}"),
    "barred_group": (
        (
            "请让管理员把您加入用户组 {0}（usermod -aG {0} 用户名，重新登录后生效），"
            "并在配置 [access] 中给您或这个组一个角色。"
        ),
        (
            "Have the administrator add you to the group {0} (usermod -aG {0} NAME; log in again) and give "
            "you or the group a role in [access] of the configuration."
        ),
    ),
    "barred_how": (
        "请让管理员把您加入代理的用户组，并在配置 [access] 中给您一个角色。",
        (
            "Have the administrator add you to the agent's group and give you a role in [access] of the "
            "configuration."
        ),
    ),
    "which_device": ("请指明设备编号", "name the device"),
    "kept_at": ("备份 {0}：{1}", "back-up {0}: {1}"),
    "several_devices": ("有多台设备：{0}", "several devices: {0}"),
    "token": ("确认码 {0}，有效至 {1}", "token {0}, good until {1}"),
    "provisional": ("暂定", "provisional"),
    "shut": ("不可办理", "shut"),
    "warn": ("提醒", "warning"),
    "opens": ("{0} 起可办理", "opens {0}"),
    "cancelling": (
        "已请求停止；会在下一个不可撤销的步骤之前停下。",
        "Asked to stop before its next irreversible step.",
    ),
    "picture": ("图片：{0}", "picture: {0}"),
    "question": ("问题：{0}", "the question: {0}"),
    "your_answer": ("请输入答案：", "Your answer: "),
    "answer_it": ("请回答：taxctl job answer {0}", "answer it: taxctl job answer {0}"),
    "no_challenge": ("任务 {0} 没有在等验证码", "job {0} waits for no verification code"),
    "see_job": ("请查看任务：taxctl job get {0}", "See the job: taxctl job get {0}"),
    "no_answer": ("没有回答", "no answer was given"),
    "answer_how": (
        "请在终端中运行 taxctl job answer {0}，或把答案写在任务编号之后。",
        "Run taxctl job answer {0} at a terminal, or write the answer after the job's id.",
    ),
    "read_at": ("读取于 {0}", "read {0}"),
    "never_read": ("还没有读到", "not read"),
    "no_device": ("没有税控设备", "no tax-control device"),
    "case_code": ("案例码 {0}", "case {0}"),
    "hours_left": ("再过 {0} 小时锁死", "locks in {0} hours"),
    "who_mends": ("谁能处理：{0}", "who can mend it: {0}"),
    "as_above": ("同上", "as above"),
    "next_command": ("下一步：{0}", "next: {0}"),
    "left": (
        "代理暂时没有回答；任务已受理，代理恢复后会继续。",
        "The agent does not answer just now; the job is accepted and goes on when it is back.",
    ),
}
