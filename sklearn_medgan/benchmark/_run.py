"""Work through the tasks of a benchmark, in this process or in many, and say how it goes."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import closing

from joblib import Parallel, delayed, effective_n_jobs
from joblib.parallel import get_active_backend

from .._interrupt import Interrupt
from .._progress import progress_bar
from ._cells import key_of, list_cells, run_task
from ._journal import Journal
from ._plan import Plan, Task


def measure(plan: Plan, journal: Journal, n_jobs: int | None, verbose: int) -> None:
    """Measure every cell that the journal lacks, or that failed; each is kept as soon as it arrives."""
    work = missing(plan, journal.cells)
    workers = effective_n_jobs(n_jobs)
    progress = Progress(work, plan, verbose)
    cells = _here(plan, work) if workers == 1 and _is_local() else _elsewhere(plan, work, n_jobs, workers)
    with Interrupt() as interrupt, closing(cells), progress.bar:
        for cell in cells:
            interrupt.check()  # a network that caught Ctrl-C has ended its training early: no result of the benchmark
            journal.add(cell)
            progress.tell(cell)
        interrupt.check()
    if interrupt.seen:
        kept = f"in {str(journal.path)!r}: the same call goes on from there" if journal.path else "lost: name results="
        raise KeyboardInterrupt(f"{len(journal.cells)} finished cells are {kept}")


def missing(plan: Plan, cells: list[dict]) -> list[tuple[Task, list]]:
    """Return tasks with the (arm, classifier) pairs that are not there yet."""
    done = {key_of(cell) for cell in cells if "error" not in cell}
    work = []
    for task in plan.tasks():
        place = (task.regime, task.seed, task.fold)
        wanted = [pair for pair in plan.cells_of(task) if (*place, *pair) not in done]
        if wanted:
            work.append((task, wanted))
    return work


def _is_local() -> bool:
    """Return whether joblib would use this machine: a cluster with one worker is still to be used."""
    return type(get_active_backend()[0]).__module__.startswith("joblib._parallel_backends")


def _here(plan: Plan, work: list[tuple[Task, list]]) -> Generator[dict]:
    for task, wanted in work:
        yield from run_task(plan.rows.X, plan, task, wanted)


def _elsewhere(plan: Plan, work: list[tuple[Task, list]], n_jobs: int | None, workers: int) -> Generator[dict]:
    """Return cells of each task when it is finished, in any order."""
    sent, X = plan.sent(), plan.rows.X
    jobs = [delayed(list_cells)(X, sent, task, wanted) for task, wanted in work]
    if get_active_backend()[0].supports_return_generator:
        with closing(Parallel(n_jobs=n_jobs, return_as="generator_unordered", pre_dispatch="all")(jobs)) as results:
            for cells in results:
                yield from cells
        return
    for start in range(0, len(jobs), workers):
        for cells in Parallel(n_jobs=n_jobs)(jobs[start : start + workers]):
            yield from cells


class Progress:
    def __init__(self, work: list[tuple[Task, list]], plan: Plan, verbose: int) -> None:
        self._left = {task: len(wanted) for task, wanted in work}
        self._plan = plan
        total = sum(1 for _ in plan.tasks())
        self.bar = progress_bar(total, "task", initial=total - len(work), disable=not verbose)

    def tell(self, cell: dict) -> None:
        task = Task(cell["regime"], cell["seed"], cell["fold"], self._plan.share_of(cell["arm"]))
        self._left[task] -= 1
        if not self._left[task]:
            self.bar.set_postfix_str(f"{task.regime}, seed {task.seed}, fold {task.fold}, {task.share}", refresh=False)
            self.bar.update()
