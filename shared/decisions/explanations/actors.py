"""Who did something, in words that say how that is known. Pure."""

from shared.messages import Actor, ActorKind


def actor_text(actor: Actor) -> str:
    """The actor, as a part of a sentence."""
    said = f", who gives the name {actor.said}" if actor.said else ""
    match actor.kind:
        case ActorKind.PERSON:
            return actor.name
        case ActorKind.KEY if actor.name == "none":
            return f"a caller without a key{said}" if said else "a caller without a key and a name"
        case ActorKind.KEY:
            return f"the holder of function key {actor.name}{said} (a key, not a person)"
        case ActorKind.MESSAGE:
            return f"the sender of message {actor.name}{said} (a queue, not a person)"
        case ActorKind.APP:
            return "the app"
