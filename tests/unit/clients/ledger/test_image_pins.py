from datetime import timedelta

from shared.clients.ledger import Ledger
from shared.oci.references import ImageName
from shared.training_code.pinned_images import ImagePin
from tests.support.workflow import START

NAME, OTHER = ImageName("scoring/churn", "abc"), ImageName("scoring/churn", "abd")
LATER = START + timedelta(hours=1)


def test_the_first_pin_holds(ledger: Ledger) -> None:
    assert ledger.image_pins.pin(NAME) is None

    first = ledger.image_pins.pin_once(NAME, "sha256:1", START)
    again = ledger.image_pins.pin_once(NAME, "sha256:2", LATER)

    assert first == again == ledger.image_pins.pin(NAME) == ImagePin(digest="sha256:1", at=START)
    assert ledger.image_pins.pin(OTHER) is None


def test_only_a_pin_that_is_made_anew_moves(ledger: Ledger) -> None:
    ledger.image_pins.pin_once(NAME, "sha256:1", START)

    assert ledger.image_pins.pin_anew(NAME, "sha256:2", LATER) == ImagePin(digest="sha256:2", at=LATER)
    assert ledger.image_pins.pin_anew(NAME, "sha256:2", START).at == LATER, "the same again changes nothing"
    assert ledger.image_pins.pin_anew(OTHER, "sha256:3", START).digest == "sha256:3"
    assert ledger.image_pins.pin(NAME) == ImagePin(digest="sha256:2", at=LATER)
