"""A serving slot as ``edgetrain prepare-vm`` makes it."""

from shared.serving.slots import Colour, Slot


def a_slot(pipeline: str = "p") -> Slot:
    return Slot(
        pipeline=pipeline, bind="127.0.0.1", frontend_port=20000, ports={Colour.BLUE: 20001, Colour.GREEN: 20002}
    )
