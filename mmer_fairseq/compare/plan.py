"""What is compared → the trainings: one a system, learning rate and seed, each with a folder and a command."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mmer_fairseq.corpus import MODALITIES, Corpus
from mmer_fairseq.errors import InputError
from mmer_fairseq.reporting.commands import PLUGIN

#: What a run is trained with where neither the user nor the system says otherwise.
DEFAULTS = {
    "--optimizer": "adam",
    "--lr": "1e-3",
    "--lr-scheduler": "inverse_sqrt",
    "--warmup-updates": "50",
    "--clip-norm": "1.0",
    "--batch-size": "8",
    "--max-epoch": "30",
    "--patience": "10",
    "--num-workers": "1",
}
#: Flags whose default goes when the user gives the other.
TOGETHER = {
    "--warmup-updates": "--lr-scheduler",
    "--batch-size": "--max-tokens",
    "--max-epoch": "--max-update",
}
#: Flags that are the comparison's own.
OWN = (
    "--arch", "-a", "--seed", "--save-dir", "--restore-file", "--user-dir", "--task", "--criterion", "--log-format",
    "--log-file", "--no-progress-bar", "--save-predictions", "--cpu", "--best-checkpoint-metric",
    "--maximize-best-checkpoint-metric", "--no-epoch-checkpoints", "--no-last-checkpoints", "--no-save",
    "--valid-subset", "--disable-validation", "--validate-interval", "--validate-interval-updates", "--save-interval",
    "--save-interval-updates", "--validate-after-updates",
)  # fmt: skip
#: Names that the comparison's own files have.
TAKEN = ("report", "runs.tsv")
#: Metric by the kind of the labels that chooses the epoch and the learning rate; each is better when higher.
METRICS = {"classes": "uar", "multilabel": "f1", "score": "ccc", "trace": "ccc"}


@dataclass(frozen=True)
class System:
    """What is compared.

    Attributes:
        name: in folders and tables.
        arch: of ``fairseq-train --arch``.
        flags: words that only this system is trained with.
    """

    name: str
    arch: str
    flags: tuple[str, ...] = ()


@dataclass(frozen=True)
class Job:
    """One training run.

    Attributes:
        system: of which.
        rate: learning rate that it is to find out about; "": nothing is tuned.
        seed: of it.
        folder: of its checkpoints and logs.
        train: the command, with fairseq-train itself first.
    """

    system: System
    rate: str
    seed: int
    folder: Path
    train: tuple[str, ...]

    @property
    def name(self) -> str:
        """For people."""
        return " ".join([self.system.name, *([f"lr {self.rate}"] if self.rate else []), f"seed {self.seed}"])


@dataclass(frozen=True)
class Plan:
    """A comparison.

    Args:
        corpus: that all are trained on.
        data: its folder, as the user named it.
        systems: that are compared.
        seeds: of each.
        rates: learning rates that are tried with the first seed; empty: nothing is tuned.
        out: folder of everything.
        flags: words of the user for every system.
        recipes: architecture → flag → value that it is trained with by default.
        split: that is reported.
    """

    corpus: Corpus
    data: str
    systems: tuple[System, ...]
    seeds: tuple[int, ...]
    rates: tuple[str, ...]
    out: Path
    flags: tuple[str, ...]
    recipes: Mapping[str, Mapping[str, str]]
    split: str

    @property
    def metric(self) -> str:
        """That chooses the epoch, on the validation split."""
        return METRICS[self.corpus.label_space.kind]

    def first(self) -> list[Job]:
        """What is run before a learning rate is chosen: the first seed with each rate; without tuning everything."""
        if not self.rates:
            return [self.job(system, "", seed) for seed in self.seeds for system in self.systems]
        return [self.job(system, rate, self.seeds[0]) for rate in self.rates for system in self.systems]

    def second(self, chosen: Mapping[str, str]) -> list[Job]:
        """The other seeds.

        Args:
            chosen: system → its learning rate.
        """
        if not self.rates:
            return []
        named = [(system, chosen[system.name]) for system in self.systems if system.name in chosen]
        return [self.job(system, rate, seed) for seed in self.seeds[1:] for system, rate in named]

    def runs(self, system: System, rate: str) -> list[Job]:
        """All seeds of a system at one rate: what is reported."""
        return [self.job(system, rate, seed) for seed in self.seeds]

    def job(self, system: System, rate: str, seed: int) -> Job:
        """One run."""
        folder = self.out / system.name
        folder = (folder / f"lr-{rate}" if rate else folder) / f"seed-{seed}"
        words = ["fairseq-train", self.data, *PLUGIN]
        words += ["--criterion", "emotion_prediction_cri", "--arch", system.arch, "--seed", str(seed)]
        words += ["--best-checkpoint-metric", self.metric, "--maximize-best-checkpoint-metric"]
        words += ["--no-epoch-checkpoints", "--save-dir", str(folder), "--no-progress-bar"]
        words += ["--log-format", "json", "--log-file", str(folder / "train.log")]
        words += self.settings(system)
        return Job(system, rate, seed, folder, (*words, *(["--lr", rate] if rate else [])))

    def settings(self, system: System) -> list[str]:
        """How a system is trained: our defaults, what suits it, then the user's words, which count most."""
        given = {word.partition("=")[0] for word in (*self.flags, *system.flags) if word.startswith("--")}
        defaults = {**DEFAULTS, **self._recipe(system)}
        words = []
        for flag, value in defaults.items():
            if flag not in given and TOGETHER.get(flag) not in given:
                words += [flag, value]
        return [*words, *self.flags, *system.flags]

    def _recipe(self, system: System) -> dict[str, str]:
        """What suits the architecture; encoders of media only where the corpus has the media."""
        stored = value_of("--features", (*self.flags, *system.flags)) or ""
        from_stores = {part.partition("=")[0].strip() for part in stored.split(",")}
        recipe = {}
        for flag, value in self.recipes.get(system.arch, {}).items():
            modality = flag[2:].partition("-")[0] if flag.endswith("-encoder") else ""
            if modality not in MODALITIES or (modality not in from_stores and self._raw(modality)):
                recipe[flag] = value
        return recipe

    def _raw(self, modality: str) -> bool:
        clips = (clip for split in self.corpus.splits for clip in self.corpus.clips(split))
        return any(clip.has(modality) and not clip.stores(modality) for clip in clips)


def value_of(flag: str, words: Sequence[str]) -> str | None:
    """What a flag is set to; the last time counts; None: it is not given."""
    found = None
    for place, word in enumerate(words):
        name, mark, value = word.partition("=")
        if name == flag:
            found = value if mark else (words[place + 1] if place + 1 < len(words) else "")
    return found


def check_flags(words: Sequence[str], where: str, also: Sequence[str] = ()) -> tuple[str, ...]:
    """Refuse flags that the comparison sets itself, and some others.

    Raises:
        InputError: naming the flag.
    """
    for word in words:
        name = word.partition("=")[0]
        if name in OWN or name in also:
            raise InputError.of(
                where=where,
                expected="flags of fairseq-train that mmer compare leaves open",
                found=name,
                remedy="leave it out: systems, seeds, folders, logs and devices are flags of mmer compare, all systems "
                "have the same labels, and their metric on valid chooses",
            )
    return tuple(words)


def parse_systems(
    archs: str, own: Sequence[str], known: Mapping[str, object], where: str = "--archs"
) -> tuple[System, ...]:
    """``"a,NAME=b"`` and ``["NAME: --flag value"]`` → systems.

    Args:
        archs: architectures, each with or without a name of its own.
        own: for systems by name, the words that only they are trained with.
        known: architectures that there are.
        where: for messages.

    Raises:
        InputError: an unknown architecture, a name twice, or flags of no system.
    """
    found: dict[str, str] = {}
    for part in (piece.strip() for piece in archs.split(",")):
        name, mark, arch = part.partition("=")
        arch = arch if mark else name
        if arch not in known:
            raise InputError.of(
                where=where,
                expected="architectures out of " + ", ".join(sorted(known)),
                found=repr(part),
                remedy="write for example robertaEMO_base,mme2e, or NAME=ARCH to give it a name",
            )
        if name in found or not name or name in TAKEN or name[0] in "-." or any(c in name for c in "/,:"):
            raise InputError.of(
                where=where,
                expected="systems with different names that can be folders",
                found=repr(part) + (" twice" if name in found else ""),
                remedy="write NAME=ARCH: an architecture may come twice under two names",
            )
        found[name] = arch
    flags: dict[str, tuple[str, ...]] = dict.fromkeys(found, ())
    for text in own:
        name, mark, words = text.partition(":")
        if name.strip() not in found or not mark:
            raise InputError.of(
                where="--with",
                expected=f"NAME: FLAGS, where NAME is one of {', '.join(found)}",
                found=repr(text),
                remedy=f"write for example --with '{next(iter(found))}: --lr 3e-4'",
            )
        more = check_flags(_split(words, text), f"--with {text!r}", ("--labels",))
        flags[name.strip()] = (*flags[name.strip()], *more)
    return tuple(System(name, arch, flags[name]) for name, arch in found.items())


def _split(words: str, text: str) -> list[str]:
    try:
        return shlex.split(words)
    except ValueError as error:
        raise InputError.of(
            where="--with",
            expected="words as a shell takes them",
            found=f"{text!r} ({error})",
            remedy="close the quote",
        ) from error


def parse_seeds(text: str) -> tuple[int, ...]:
    """``"5"`` → 1 to 5; ``"3,17"`` → those two.

    Raises:
        InputError: no whole numbers, or one twice.
    """
    parts = [part.strip() for part in text.split(",")]
    numbers = [int(part) for part in parts if part.isdecimal()]
    good = len(numbers) == len(parts) and len(set(numbers)) == len(numbers)
    if good and len(numbers) == 1 and text.strip() == parts[0]:
        numbers = list(range(1, numbers[0] + 1))
    if not good or not numbers:
        raise InputError.of(
            where="--seeds",
            expected="how many seeds, from 1 on, or several with commas between them",
            found=repr(text),
            remedy="write --seeds 5, or --seeds 1,7,13",
        )
    return tuple(numbers)


def parse_rates(text: str | None) -> tuple[str, ...]:
    """``"1e-3,3e-4"`` → the words.

    Raises:
        InputError: not numbers above 0, or one twice.
    """
    rates = tuple(part.strip() for part in (text or "").split(",") if part.strip())
    try:
        values = [float(rate) for rate in rates]
    except ValueError:
        values = [-1.0]
    if any(not 0 < value < float("inf") for value in values) or len(set(values)) < len(values):
        raise InputError.of(
            where="--tune-lr",
            expected="different learning rates above 0, with commas between them",
            found=repr(text),
            remedy="write for example --tune-lr 1e-3,3e-4",
        )
    return rates
