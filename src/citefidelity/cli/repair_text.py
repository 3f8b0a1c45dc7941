"""What is damaged in a graph, for people."""

from __future__ import annotations

from citefidelity.damage import Damage, Kind, Repair
from citefidelity.records import CitationKey
from citefidelity.repairing import Repaired, RepairReport

KINDS: dict[Kind, str] = {
    "blanked": "with contexts that lost their text when a call failed",
    "only_errors": "with nothing but errors",
    "out_of_order": "with their contexts in the order in which calls ended",
    "overwritten": "with the same contexts as a parallel citation: one of the two has not its own",
}
REPAIRS: dict[Repair, str] = {"text": "text put back", "order": "put in order", "to_do": "to do again"}


def repair_text(report: RepairReport, apply_command: str) -> list[str]:
    """Each damaged citation by name, the numbers, and what to do next."""
    if not report.possible:
        return [f"Nothing to repair in {report.store}: only this program writes to an embedded store."]
    seen = f"{report.looked_at:,} citations in {report.store} were classified by another program"
    if not report.damaged:
        return [f"{seen}; none is damaged."]
    lines = [*(_line(one, applied=report.applied) for one in report.damaged), "", f"{seen}; of these"]
    lines += [f"  {number:,} {KINDS[kind]}" for kind, number in report.by_kind.items()]
    if report.blanked:
        lines.append(
            f"Of {report.blanked:,} contexts without text, {report.recoverable:,} stand elsewhere in the graph."
        )
    return lines + _outcome(report, apply_command)


def _outcome(report: RepairReport, apply_command: str) -> list[str]:
    if not report.applied:
        can = f"{report.mendable:,} citations can be mended, at least in part."
        return [f"{can} Nothing was changed.", *([f"To mend them: {apply_command}"] if report.mendable else [])]
    lines = [f"{report.mended:,} citations were mended."]
    if report.backup is not None:
        lines.append(f"As they were before, with all properties: {report.backup}")
    if report.changed_meanwhile:
        lines.append(f"{report.changed_meanwhile:,} were changed by somebody meanwhile, and were left: run it again.")
    return lines


def _line(one: Repaired, *, applied: bool) -> str:
    damage = one.damage
    key = CitationKey(damage.source_id, damage.target_id, damage.reference_id)
    return f"{key}: {', '.join(kind + _which(kind, damage) for kind in damage.kinds)}{_repairs(one, applied=applied)}"


def _which(kind: Kind, damage: Damage) -> str:
    if kind != "blanked":
        return ""
    there = f", recoverable {', '.join(damage.recoverable)}" if damage.recoverable else ""
    return f" ({', '.join(name or 'one without a number' for name in damage.blanked)} of {damage.contexts}{there})"


def _repairs(one: Repaired, *, applied: bool) -> str:
    if not one.damage.repairs:
        return "; nothing can be put back"
    named = ", ".join(REPAIRS[repair] for repair in one.damage.repairs)
    if not applied:
        return f"; can be: {named}"
    return f"; {named}" if one.mended else "; changed meanwhile, left as it is"
