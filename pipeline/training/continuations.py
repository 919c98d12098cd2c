"""DOC."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pipeline.raw_input import MAX_LENGTH, MAX_PROMPT, Answer, flag, number, texts, warned
from pipeline.serving.served import Served


def _continuations(served: Served, inputs: Sequence[Any], options: dict[str, Any]) -> list[Answer]:
    """prompt → {text}; options length, temperature, top_p, seed. With the option score, text → {text, bits,
    bits_per_char, perplexity}: how well the model foresees it; `bits` of each character of `text` but the first."""
    from pipeline.training.generation import Sampling, generate, generate_from_windows

    length = int(number(options, "length", 300, 1, MAX_LENGTH))
    temperature = number(options, "temperature", 0.7, 0.0, 10.0)
    sampling = Sampling(temperature, number(options, "top_p", 1.0, 1e-6, 1.0))
    seed = int(number(options, "seed", 0, 0, 2**63 - 1))
    prompts = [_Prompt(text, served.encoder) for text in texts(inputs, "a prompt")]
    if flag(options, "score"):
        return [prompt.warned(_scored(served, prompt.text)) for prompt in prompts]
    if served.encoder.get("target") == "next":
        whole = served.compiled()
        told = [generate_from_windows(whole, served.encoder, p.text, length, sampling, seed) for p in prompts]
    else:
        twin = served.compiled(1, stateful=True)
        told = [generate(twin, served.encoder, p.text, length, [sampling], seed)[0] for p in prompts]
    return [prompt.warned({"text": text}) for prompt, text in zip(prompts, told, strict=True)]


class _Prompt:
    """The end of a prompt, as much of it as is read."""

    def __init__(self, prompt: str, encoder: Mapping[str, Any]) -> None:
        self.text, self.whole, self.encoder = prompt[-MAX_PROMPT:], prompt, encoder

    def warned(self, answer: Answer) -> Answer:
        from pipeline.training.generation import known_characters

        empty = not self.whole.strip()
        found = {
            "the prompt is empty": empty,
            "no character of the prompt was in the training data": (
                not empty and not known_characters(self.encoder, self.text)
            ),
            f"only the last {MAX_PROMPT} characters of the prompt were read": len(self.whole) > MAX_PROMPT,
        }
        return warned(answer, found)


def _scored(served: Served, text: str) -> Answer:
    from pipeline.encoding.text_cleaning import prepare
    from pipeline.training.generation import score

    bits = score(served.compiled(1, stateful=True), served.encoder, text).astype(np.float64)
    mean = float(bits.mean())
    return {"text": prepare(text, served.encoder), "bits": bits.tolist(), "bits_per_char": mean, "perplexity": 2**mean}
