"""A row of the journal in a line for people. Knows values and words, no file."""

from __future__ import annotations

from taxagent.model.events import (
    AgentReloaded,
    AgentStarted,
    AgentStopped,
    AnyEvent,
    BackupWritten,
    CancelRequested,
    ChallengeAnswered,
    CheckMade,
    ClientPaired,
    ClientRefused,
    ClientRevoked,
    ClientRoleChanged,
    DeviceFreed,
    DeviceHeld,
    DeviceHung,
    DeviceQuarantined,
    DeviceReleased,
    JobAccepted,
    JobEnded,
    JobNeedsHuman,
    JobResumed,
    JobRunning,
    JobUnknown,
    JobWaiting,
    PairingClosed,
    PairingOpened,
    PasswordTried,
    StateRead,
    StepBegun,
    StepEnded,
    TicketStored,
    TokenIssued,
)
from taxagent.model.faults import Lang, fault
from taxagent.model.job import Outcome, Scope, StepId
from taxagent.model.lines import CheckState
from taxagent.model.words import word

_SAY = {
    "zh": {
        "started": "代理启动，版本 {version}，进程 {pid}",
        "stopped": "代理停止：{reason}",
        "stopped_by": "代理按 {principal} 的要求停止：{reason}",
        "reloaded": "代理重新读取配置，已生效：{changed}",
        "reloaded_in_part": "代理重新读取配置，已生效：{changed}；重启后才生效：{needs_restart}",
        "reload_refused": "代理拒绝新配置，沿用原配置：{fault}",
        "reload_refused_at": "代理拒绝新配置，沿用原配置：{fault}（{at_key}）",
        "token": "给 {principal} 发出确认码：{scope}",
        "password_trying": "将在设备 {device_no} 上试一个密码，试前还剩 {tries_left} 次",
        "password_doubted": "设备 {device_no} 曾接受的密码，一次尝试的结果未知，试前还剩 {tries_left} 次",
        "password_accepted": "设备 {device_no} 接受了密码",
        "password_refused": "设备 {device_no} 拒绝了密码，还剩 {tries_left} 次",
        "hung": "设备 {device_no} 没有反应：{command} 在 {limit_s} 秒内没有返回（位置 {location}）",
        "quarantined": "设备 {device_no} 已隔离：没有反应 {times} 次（位置 {location}）",
        "freed_replugged": "设备 {device_no} 重新插入，重新使用",
        "freed_retry": "{principal} 让代理再试设备 {device_no}",
        "released": "{principal} 让代理交出设备 {device_no}",
        "held": "{principal} 让代理重新使用设备 {device_no}",
        "pairing_opened": "{principal} 发出客户端 {name} 的配对码，角色 {role}",
        "pairing_closed": "客户端 {name} 的配对码作废：{how}",
        "paired": "客户端 {name} 已配对，角色 {role}",
        "role_changed": "{principal} 把客户端 {name} 的角色改为 {role}",
        "revoked": "{principal} 吊销了客户端 {name} 的密钥",
        "refused": "拒绝了一个连接：{reason}（{who}）",
        "accepted": "{principal} 提交 {kind}：{scope}",
        "running": "开始执行",
        "waiting": "{reason}：{fault}",
        "unknown": "结果未知：{fault}",
        "needs_human": "需要人工处理：{fault}",
        "cancel": "{principal} 要求取消",
        "resume": "{principal} 让任务继续",
        "answered": "{principal} 回答了验证码 {challenge_id}",
        "begun": "开始 {step}",
        "ended_step": "结束 {step}：{outcome}",
        "backup": "备份 {period}：{path}",
        "ticket": "收到清卡密文 {ticket_no}，新截止日 {deadline}",
        "ended": "作业结束：{state}，{outcome}",
        "state_read": "读取设备状态",
        "checked": "检查完：{count} 项，{failed} 项不可办理",
    },
    "en": {
        "started": "agent started, version {version}, process {pid}",
        "stopped": "agent stopped: {reason}",
        "stopped_by": "agent stopped on the word of {principal}: {reason}",
        "reloaded": "the configuration was read anew, in effect: {changed}",
        "reloaded_in_part": "the configuration was read anew, in effect: {changed}; "
        "after a restart: {needs_restart}",
        "reload_refused": "a new configuration was refused, the old one holds: {fault}",
        "reload_refused_at": "a new configuration was refused, the old one holds: {fault} ({at_key})",
        "token": "token for {principal}: {scope}",
        "password_trying": "a password is tried on device {device_no}, {tries_left} tries left before",
        "password_doubted": "a try on device {device_no} with a once good password has no known end, "
        "{tries_left} tries left before",
        "password_accepted": "device {device_no} accepted the password",
        "password_refused": "device {device_no} refused the password, {tries_left} tries left",
        "hung": "device {device_no} hangs: {command} did not return in {limit_s} s (at {location})",
        "quarantined": "device {device_no} is quarantined: it hung {times} times (at {location})",
        "freed_replugged": "device {device_no} was plugged in anew and is used again",
        "freed_retry": "{principal} has device {device_no} tried again",
        "released": "{principal} has the agent give device {device_no} up",
        "held": "{principal} lets the agent use device {device_no} again",
        "pairing_opened": "{principal} opens the pairing of client {name}, role {role}",
        "pairing_closed": "the code of client {name} counts no more: {how}",
        "paired": "client {name} is paired, role {role}",
        "role_changed": "{principal} gives client {name} the role {role}",
        "revoked": "{principal} revokes the key of client {name}",
        "refused": "a connection was not let in: {reason} ({who})",
        "accepted": "{principal} submitted {kind}: {scope}",
        "running": "running",
        "waiting": "{reason}: {fault}",
        "unknown": "unknown: {fault}",
        "needs_human": "needs a person: {fault}",
        "cancel": "{principal} asked to cancel",
        "resume": "{principal} lets it go on",
        "answered": "{principal} answered the verification code {challenge_id}",
        "begun": "{step} begins",
        "ended_step": "{step} ends: {outcome}",
        "backup": "back-up of {period}: {path}",
        "ticket": "clear ticket {ticket_no}, new deadline {deadline}",
        "ended": "job ends: {state}, {outcome}",
        "state_read": "device state read",
        "checked": "checked: {count} lines, {failed} stand in the way",
    },
}


def said(event: AnyEvent, lang: Lang) -> str:  # noqa: C901, PLR0911, PLR0912 - one match, a case an event
    """Return what `event` says, in a line for people."""
    say = _SAY[lang]
    match event:
        case AgentStarted(version=version, pid=pid):
            return say["started"].format(version=version, pid=pid)
        case AgentStopped(reason=reason, principal=principal):
            why = word("stop", reason, lang)
            return say["stopped_by" if principal else "stopped"].format(reason=why, principal=principal)
        case AgentReloaded():
            return _reloaded(event, lang)
        case TokenIssued(principal=principal, scope=scope):
            return say["token"].format(principal=principal, scope=_scope(scope))
        case PasswordTried(device_no=device_no, tried=tried):
            return say[f"password_{tried.verdict}"].format(device_no=device_no, tries_left=tried.tries_left)
        case DeviceHung(device_no=device_no, command=command, limit_s=limit_s, location=location):
            return say["hung"].format(
                device_no=device_no, command=command, limit_s=limit_s, location=location
            )
        case DeviceQuarantined(device_no=device_no, times=times, location=location):
            return say["quarantined"].format(device_no=device_no, times=times, location=location)
        case DeviceFreed(device_no=device_no, how=how, principal=principal):
            return say[f"freed_{how}"].format(device_no=device_no, principal=principal)
        case DeviceReleased(device_no=device_no, principal=principal):
            return say["released"].format(device_no=device_no, principal=principal)
        case DeviceHeld(device_no=device_no, principal=principal):
            return say["held"].format(device_no=device_no, principal=principal)
        case PairingOpened(name=name, role=role, principal=principal):
            return say["pairing_opened"].format(name=name, role=word("role", role, lang), principal=principal)
        case PairingClosed(name=name, how=how):
            return say["pairing_closed"].format(name=name, how=word("pairing", how, lang))
        case ClientPaired(name=name, role=role):
            return say["paired"].format(name=name, role=word("role", role, lang))
        case ClientRoleChanged(name=name, role=role, principal=principal):
            return say["role_changed"].format(name=name, role=word("role", role, lang), principal=principal)
        case ClientRevoked(name=name, principal=principal):
            return say["revoked"].format(name=name, principal=principal)
        case ClientRefused(name=name, reason=reason, address=address, public_key=key):
            who = " ".join(filter(None, (name, address, key[:8])))
            return say["refused"].format(reason=word("let_in", reason, lang), who=who or "-")
        case JobAccepted(principal=principal, kind=kind, scope=scope):
            return say["accepted"].format(
                principal=principal, kind=word("job_kind", kind, lang), scope=_scope(scope)
            )
        case JobRunning():
            return say["running"]
        case JobWaiting(wait=wait):
            reason = word("wait", wait.reason, lang)
            return say["waiting"].format(reason=reason, fault=_fault(wait.fault, lang))
        case JobUnknown(problem=problem):
            return say["unknown"].format(fault=_fault(problem.fault, lang))
        case JobNeedsHuman(problem=problem):
            return say["needs_human"].format(fault=_fault(problem.fault, lang))
        case CancelRequested(principal=principal):
            return say["cancel"].format(principal=principal)
        case JobResumed(principal=principal):
            return say["resume"].format(principal=principal)
        case ChallengeAnswered(principal=principal, challenge_id=challenge_id):
            return say["answered"].format(principal=principal, challenge_id=challenge_id)
        case StepBegun(id=step):
            return say["begun"].format(step=_step(step, lang))
        case StepEnded(id=step, outcome=outcome, note=note):
            ended = say["ended_step"].format(step=_step(step, lang), outcome=_outcome(outcome, lang))
            return ended + _aside(word("note", note, lang), lang)
        case StateRead():
            return say["state_read"]
        case CheckMade(lines=lines):
            failed = sum(line.state is CheckState.FAIL for line in lines)
            return say["checked"].format(count=len(lines), failed=failed)
        case BackupWritten(backup=backup):
            return say["backup"].format(period=backup.period, path=backup.path)
        case TicketStored(ticket=ticket):
            return say["ticket"].format(ticket_no=ticket.ticket_no, deadline=ticket.deadline)
        case JobEnded(state=state, outcome=outcome, problem=problem):
            ended = say["ended"].format(state=word("job_state", state, lang), outcome=_outcome(outcome, lang))
            return ended + _aside(_fault(problem.fault, lang) if problem else "", lang)


def _reloaded(event: AgentReloaded, lang: Lang) -> str:
    if event.refused:
        say = _SAY[lang]["reload_refused_at" if event.at_key else "reload_refused"]
        return say.format(fault=_fault(event.refused, lang), at_key=event.at_key)
    say = _SAY[lang]["reloaded_in_part" if event.needs_restart else "reloaded"]
    listed = {"zh": "、", "en": ", "}[lang].join
    return say.format(changed=listed(event.changed) or "-", needs_restart=listed(event.needs_restart))


def _aside(text: str, lang: Lang) -> str:
    if not text:
        return ""
    return f"（{text}）" if lang == "zh" else f" ({text})"


def _scope(scope: Scope) -> str:
    return f"{scope.device_no} {'+'.join(scope.types)} {' '.join(scope.periods)}"


def _step(step: StepId, lang: Lang) -> str:
    return " ".join(filter(None, (word("step", step.step, lang), step.group, step.period)))


def _outcome(outcome: Outcome, lang: Lang) -> str:
    return word("outcome", outcome, lang)


def _fault(code: str, lang: Lang) -> str:
    entry = fault(code)
    return f"{code} {(entry.zh if lang == 'zh' else entry.en).title}"
