"""``mmer compare``: several systems trained on one corpus and reported, with one command."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mmer_fairseq.errors import InputError

if TYPE_CHECKING:
    from mmer_fairseq.compare.job import JobFolder
    from mmer_fairseq.compare.plan import Plan
    from mmer_fairseq.compare.pool import Failure, Place

HELP = "train several systems on one corpus with several seeds, and report on them"

EPILOG = """Each system is trained by fairseq-train with each seed, the epoch chosen on the validation split, and scored
on the test split; then mmer report writes the page that compares them. The same command goes on where it was stopped
or killed; finished runs are not made again. Flags behind -- go to every training, those of --with to one system's:

  mmer compare data/toy --archs robertaEMO_small,auxformer,lf_rnn --seeds 5 --out runs/compare
  mmer compare data/toy --archs SSE-FT=robertaEMO_small,late=robertaEMO_small --seeds 3 --out runs/two \\
    --with 'late: --modalities audio,video' -- --max-epoch 50 --frame-rate 10
  mmer compare data/toy --archs mme2e,lf_rnn --tune-lr 1e-3,3e-4 --out runs/tuned

--tune-lr trains each system with each learning rate and the first seed, takes the rate that is best on the validation
split, and trains the other seeds with it: every system gets the same number of tries."""


#: Words behind ``--`` are fairseq-train's.
HANDS_ON = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the command's arguments."""
    parser.add_argument("data", metavar="DATA", help="corpus folder")
    parser.add_argument(
        "--archs",
        required=True,
        metavar="[NAME=]ARCH[,…]",
        help="architectures; a wrong name lists them all",
    )
    parser.add_argument(
        "--seeds", default="5", metavar="N", help="so many seeds, or several with commas between (default: 5)"
    )
    parser.add_argument(
        "--out",
        default="runs/compare",
        metavar="DIR",
        help="of the runs and the report (default: runs/compare)",
    )
    parser.add_argument(
        "--with",
        dest="own",
        action="append",
        default=[],
        metavar="'NAME: FLAGS'",
        help="flags of fairseq-train for one of the systems",
    )
    parser.add_argument("--tune-lr", metavar="LR[,LR…]", help="choose each system's learning rate on valid")
    parser.add_argument(
        "--split", metavar="NAME", help="that is reported (default: test, or valid where there is none)"
    )
    where = parser.add_argument_group("where it runs")
    where.add_argument(
        "--device", default="auto", metavar="D", help="auto, cpu, cuda, or cuda:0,cuda:2 (default: all GPUs)"
    )
    where.add_argument(
        "--jobs",
        type=int,
        default=0,
        metavar="N",
        help="runs at once on the CPU (default: one a core) or a GPU (1)",
    )
    where.add_argument(
        "--threads",
        type=int,
        default=0,
        metavar="N",
        help="of each run (default: 1 on the CPU, so that no result depends on the machine)",
    )
    parser.add_argument("--dry-run", action="store_true", help="print the first commands, run nothing")


def run(args: argparse.Namespace) -> int:
    """Train what is not trained yet, and report.

    Raises:
        InputError: a flag or the corpus is not what it should be, or no system could be trained.
    """
    plan = _plan(args)
    where = _places(args)
    if args.dry_run:
        for job in plan.first():
            print(shlex.join([*job.train, *(["--cpu"] if where[0].device == "cpu" else [])]))
        return 0
    from mmer_fairseq.cli._checkpoint import writable

    writable(plan.out)
    failures, first = _train(plan, plan.first(), where)
    chosen = _choose(plan, first)
    more, second = _train(plan, plan.second(chosen), where)
    return _report(plan, [*first, *second], chosen, [*failures, *more])


def _plan(args: argparse.Namespace) -> Plan:
    from mmer_fairseq.compare import plan as plans
    from mmer_fairseq.corpus import Corpus

    recipes = _recipes()
    flags = plans.check_flags(args.behind, "flags behind --")
    if args.tune_lr and any(
        plans.value_of("--lr", words) is not None for words in (flags, shlex.split(" ".join(args.own)))
    ):
        raise InputError.of(
            where="--tune-lr", expected="no --lr beside it", found="--lr", remedy="leave one of them out"
        )
    if "," in args.out:
        raise InputError.of(
            where="--out", expected="a path without a comma", found=args.out, remedy="choose another folder"
        )
    corpus = Corpus.load(args.data, labels=plans.value_of("--labels", flags))
    split = args.split or ("test" if "test" in corpus.splits else "valid")
    for name in ("train", "valid", split):
        if name not in corpus.splits:
            raise InputError.of(
                where=args.data,
                expected="the splits train and valid, and the one that is reported",
                found=", ".join(corpus.splits) or "none",
                remedy=f"write {name}.tsv: the epoch is chosen on valid, never on what is reported",
            )
    return plans.Plan(
        corpus,
        args.data,
        plans.parse_systems(args.archs, args.own, recipes),
        plans.parse_seeds(args.seeds),
        plans.parse_rates(args.tune_lr),
        Path(args.out),
        flags,
        recipes,
        split,
    )


def _recipes() -> dict[str, Mapping[str, str]]:
    """Architecture of ours → flags that it is trained with by default."""
    from fairseq.models import ARCH_MODEL_REGISTRY

    import mmer_fairseq

    mmer_fairseq.register()
    ours = {
        name: getattr(model, "recipe", {})
        for name, model in ARCH_MODEL_REGISTRY.items()
        if model.__module__.startswith("mmer_fairseq.")
    }
    return {
        name: {"--" + flag.replace("_", "-"): value for flag, value in recipe.items()}
        for name, recipe in ours.items()
    }


def _places(args: argparse.Namespace) -> list[Place]:
    from mmer_fairseq.compare.pool import places

    for name in ("jobs", "threads"):
        if getattr(args, name) < 0:
            raise InputError.of(
                where=f"--{name}",
                expected="0 or more",
                found=getattr(args, name),
                remedy="leave the flag out",
            )
    gpus: list[str] = []
    if args.device != "cpu":
        import torch

        seen = os.environ.get("CUDA_VISIBLE_DEVICES")
        names = seen.split(",") if seen else []
        count = torch.cuda.device_count()
        gpus = names[:count] if len(names) >= count else [str(number) for number in range(count)]
    # not all of the machine's may be ours
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return places(args.device, args.jobs, args.threads, gpus, cores)


def _train(plan: Plan, jobs: Sequence[Any], where: Sequence[Place]) -> tuple[list[Failure], list[JobFolder]]:
    """Run a stage; what failed, and its folders."""
    from mmer_fairseq.compare.job import JobFolder
    from mmer_fairseq.compare.pool import Pool, finished
    from mmer_fairseq.compare.progress import Progress

    folders = [JobFolder(job, plan.split, plan.data) for job in jobs]
    done = [folder for folder in folders if finished(folder)]
    if not folders:
        return [], []
    if len(done) < len(folders):
        at_once = min(len(where), len(folders) - len(done))
        print(
            f"{len(folders) - len(done)} runs, {at_once} at once on {_devices(where)}; "
            f"{len(done)} are finished already",
            file=sys.stderr,
        )
    with Progress(folders, done, plan.metric) as progress:
        pool = Pool(where, progress)
        pool.run(folders)
    return pool.failures, [folder for folder in folders if finished(folder)]


def _devices(where: Sequence[Place]) -> str:
    names = dict.fromkeys("the CPU" if place.device == "cpu" else f"GPU {place.device}" for place in where)
    return ", ".join(names)


def _choose(plan: Plan, first: Sequence[JobFolder]) -> dict[str, str]:
    """System → its learning rate; a rate with which training failed is never the best."""
    from mmer_fairseq.compare.progress import best_epoch, best_rates

    if plan.rates:
        tried = {(folder.job.system.name, folder.job.rate): folder for folder in first}
        for system in plan.systems:
            for rate in plan.rates:
                folder = tried.get((system.name, rate))
                value = (
                    f"valid {plan.metric} {best_epoch(folder, plan.metric)[1]:.3f}" if folder else "no result"
                )
                print(f"{system.name}: lr {rate} gives {value}")
    return best_rates(first, plan.metric)


def _report(
    plan: Plan, done: Sequence[JobFolder], chosen: Mapping[str, str], failures: Sequence[Failure]
) -> int:
    """Write the report of the systems whose runs all ended well; 2 if there are others."""
    from mmer_fairseq.cli import report
    from mmer_fairseq.compare.progress import write_runs

    write_runs(plan.out / "runs.tsv", done, plan.metric)
    there = {folder.path for folder in done}
    words = []
    for system in plan.systems:
        rate = chosen.get(system.name)
        if rate:
            _note(plan, system, rate, failures)
        paths = [] if rate is None else [job.folder for job in plan.runs(system, rate)]
        whole = [path for path in paths if path in there]
        if paths and len(whole) == len(paths):
            words.append(f"{system.name}={','.join(map(str, whole))}")
        else:
            print(f"{system.name} is not in the report: not all of its runs ended well", file=sys.stderr)
    if not words:
        raise InputError.of(
            where=plan.out,
            expected="a system whose runs all ended well",
            found="none",
            remedy="correct what the messages above say and give the command again",
        )
    parser = argparse.ArgumentParser()
    report.add_arguments(parser)
    code = report.run(parser.parse_args([*words, "--split", plan.split, "--out", str(plan.out / "report")]))
    print(plan.out / "runs.tsv")
    return code if len(words) == len(plan.systems) else 2


def _note(plan: Plan, system: Any, rate: str, failures: Sequence[Failure]) -> None:
    """Tell the report that the learning rate was tuned, on what, and which tries failed."""
    from mmer_fairseq.reporting.choices import Choice, note_choice
    from mmer_fairseq.reporting.measures import TITLES

    failed = [job.rate for job in (failure.folder.job for failure in failures) if job.system == system]
    tried = f"{', '.join(plan.rates)} with seed {plan.seeds[0]}"
    tried += f"; training failed with {', '.join(dict.fromkeys(failed))}" if failed else ""
    best = f"the highest {TITLES.get(plan.metric, plan.metric)} of {tried}"
    for job in plan.runs(system, rate):
        if job.folder.is_dir():
            note_choice(job.folder, Choice("the learning rate", best, "valid", rate))
