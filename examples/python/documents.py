"""A model over many documents, one instance a core: python documents.py MODEL FILE [WORKERS], a document a line, an answer a line.

Needs `pip install "./examples/python[documents]"`. Dask's cluster may as well be many machines: Client("tcp://scheduler:8786"). A seed makes every
answer what it would be anywhere else, so it does not matter who gives it.
"""

import functools
import json
import sys

from zagreus_edge import Model


@functools.cache
def load(path: str) -> Model:
    """Once a process."""
    return Model.load(path)


def answer(document: str, path: str) -> dict:
    completion = load(path).complete(document, max_tokens=24, seed=1)
    return {"document": document, "answer": completion.text(), "finish": completion.finish_reason}


def main(path: str, file: str, workers: str = "2") -> None:
    import dask.bag
    from dask.distributed import Client

    with open(file, encoding="utf8") as lines:
        documents = [line.strip() for line in lines if line.strip()]
    with Client(n_workers=int(workers), threads_per_worker=1, processes=True, dashboard_address=None):
        bag = dask.bag.from_sequence(documents, npartitions=4 * int(workers))
        for result in bag.map(answer, path).compute():
            print(json.dumps(result, ensure_ascii=False))


if __name__ == "__main__":
    main(*sys.argv[1:])
