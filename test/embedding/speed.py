"""Tokens a second of CPU time, on one thread, and the memory of the process: python speed.py MODEL BUILD. speed.mjs is the same for Node."""

import math
import resource
import sys
import time

from zagreus_edge import Completion, Model

PROMPT, SAID, ROUNDS = 256, 32, 3
path, build = sys.argv[1:]

model = Model.load(path, build=build, context=512)
vocabulary = model.info["vocabulary"]
never = {token: -math.inf for token in list(model.special.values())[:1000]}
best = {"prefill": 0.0, "decode": 0.0}


def measure(name, tokens, work):
    begun = time.process_time()
    work()
    best[name] = max(best[name], tokens / (time.process_time() - begun))


for round_ in range(ROUNDS):
    session = model.session()
    session.append([(i * 31 + 7 + round_) % vocabulary for i in range(PROMPT + 1)])
    measure("prefill", PROMPT, lambda: session._call("prefill", PROMPT))
    session._configure(max_tokens=SAID + 1, temperature=0, logit_bias=never)
    pieces = iter(Completion(session))
    session._call("next")
    measure("decode", SAID, lambda: list(pieces))
    session.close()
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(f"Wasmtime {build}: prefill {best['prefill']:.1f}, decode {best['decode']:.1f} tokens/s, {memory:.0f} MiB, of them {model.info['memory_bytes'] / 2**20:.0f} linear memory")
