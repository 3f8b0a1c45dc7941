"""``citefidelity spec``: print the built-in spec, or check one in a file."""

from __future__ import annotations

from pathlib import Path

from citefidelity.cli.words import Argument, Call, Command, Example


def handle(call: Call) -> int:
    """Print the built-in spec, or say whether a file is a good one."""
    from citefidelity.specs.spec import builtin_spec  # noqa: PLC0415 - loaded when the command runs

    file = call.given["file"]
    if file is None:
        spec = builtin_spec()
        call.out.result({"toml": spec.to_toml(), "builtin": True}, spec.to_toml())
        return 0
    return _check(call, Path(file))


def _check(call: Call, path: Path) -> int:
    from citefidelity.specs.spec import builtin_spec, differences, load_spec, resolve  # noqa: PLC0415 - as above
    from citefidelity.specs.spec_toml import SpecPart  # noqa: PLC0415 - as above

    part = load_spec(path)
    names_model = part.model is not None or part.provider == "local"
    # The file alone need not name a model: --model may.
    model = SpecPart(model="(from --model)")
    builtin = builtin_spec() if names_model else resolve(builtin_spec(), None, model)
    changed = differences(builtin, resolve(builtin, part))
    report = {"file": str(path), "good": True, "names_model": names_model, "differences": changed}
    lines = [f"{path} is a good spec.", *([] if names_model else ["It names no model: --model has to."])]
    lines += ["", "What differs from the built-in spec:", *(f"  {line}" for line in changed or ["nothing"])]
    call.out.result(report, "\n".join(lines))
    return 0


COMMAND = Command(
    name="spec",
    summary="print the built-in spec as TOML; check a file",
    about="""
    A spec is all that changes an answer: the prompt, the categories with their definitions, the model and its
    parameters, how much evidence is shown. Without FILE this prints the built-in one, with every setting explained.
    Change it, check it with this command, and give it to `run` with --spec.

    A screening keeps the spec it began with. To screen under another one, give it another name with --screening.
    Costs nothing, changes nothing.
    """,
    handle=handle,
    arguments=(Argument("FILE", "a spec to check", required=False),),
    examples=(
        Example("citefidelity spec > mine.toml", "a copy to change"),
        Example("citefidelity spec mine.toml", "is it good, and what differs from the built-in one?"),
        Example("citefidelity run --spec mine.toml --screening mine", "screen under it, beside what is there"),
    ),
)
