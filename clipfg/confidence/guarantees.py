"""What answers guarantee, in sentences: at what rate, on what basis, and what is missing."""

from clipfg.confidence.confidence import CERTAINTY, Confidence
from clipfg.confidence.temperature_extrapolation import FEWEST
from clipfg.functional.conformal import fewest_calibrating
from clipfg.functional.novelty import FALSE_ALARMS
from clipfg.functional.selective import SelectionThreshold, fewest_answers

NAMES = {
    "softmax": "the largest probability",
    "energy": "the energy of the logits",
    "concept-softmax": "the largest softmax share of cosines with the classes' concepts",
    "neighbour": "the cosine with the nearest labelled {unit}",
    "instances": "the mean cosine of instances with the nearest one of the labelled bags",
}

NO_LABELS = (
    "Class names alone cannot guarantee an error rate, sets or unknown images: that takes a head"
    " calibrated on labelled images. Fit one with `clipfg fewshot ... --save FILE` and use it with"
    " --head FILE."
)
UNCALIBRATED = (
    "Groups are chosen by the encoder's own probabilities, which are not calibrated on any labelled"
    " image."
)


def error_note(confidence: Confidence, target: float, cut: SelectionThreshold | None) -> str:
    """Of answers under a threshold, or why there are none."""
    if cut is None:
        needed = fewest_answers(target, CERTAINTY)
        return (
            f"No answers are given: {len(confidence):,} held-out {confidence.unit}s cannot show"
            f" that at most {target:.0%} of answers are wrong. That takes at least {needed:,}"
            f" confident answers, all correct; add labelled {confidence.unit}s or raise"
            " --target-error."
        )
    return (
        f"At most {target:.0%} of answers are wrong, with {CERTAINTY:.0%} confidence:"
        f" {cut.wrong:,} of {cut.answered:,} answers to held-out {confidence.unit}s were, out"
        f" of {len(confidence):,}."
    )


def sets_note(confidence: Confidence, level: float, each_class: bool) -> str:
    """Of prediction sets, or why there are none."""
    needed = fewest_calibrating(level)
    if len(confidence) < needed:
        return (
            f"No sets are given: sets that contain the true class {level:.0%} of the time take"
            f" {needed:,} held-out {confidence.unit}s, there are {len(confidence):,}."
        )
    if not each_class:
        return (
            f"Sets contain the true class of at least {level:.0%} of {confidence.unit}s, on average"
            f" over all classes ({len(confidence):,} held-out {confidence.unit}s)."
        )
    enough = int(confidence.with_enough(level).sum())
    note = (
        f"Sets contain the true class of at least {level:.0%} of each class's"
        f" {confidence.unit}s for"
        f" {enough:,} of {confidence.classes:,} classes."
    )
    if enough < confidence.classes:
        note += (
            f" The others have fewer than the {needed:,} held-out {confidence.unit}s needed; their"
            " sets use the threshold of all classes together."
        )
    return note


def unknown_note(confidence: Confidence) -> str:
    """Of images flagged as unknown, or why none is."""
    detector, unit = confidence.ood, confidence.unit
    if detector is None:
        command = "bags" if unit == "bag" else "fewshot"
        return (
            f"No {unit} is flagged as unknown: the head was saved without --unknown. Fit it again"
            f" with `clipfg {command} ... --unknown --save FILE`."
        )
    needed = fewest_calibrating(1 - FALSE_ALARMS)
    if len(detector.known) < needed:
        return (
            f"No {unit} is flagged as unknown: one false alarm in {1 / FALSE_ALARMS:.0f} takes"
            f" {needed} held-out {unit}s, there are {len(detector.known)}."
        )
    tried = "There are too few classes to leave some out and try it."
    if detector.aurocs:
        tried = (
            f"With groups of classes left out, it ranked a known {unit} above an unknown one"
            f" {detector.aurocs[detector.score]:.0%} of the time (AUROC)."
        )
    return (
        f"At most {FALSE_ALARMS:.0%} of {unit}s of known classes are flagged as unknown, by"
        f" {NAMES[detector.score].format(unit=unit)}. {tried} How many unknown {unit}s are detected"
        " is not guaranteed: it depends on what they show."
    )


def basis_note(confidence: Confidence) -> str:
    """What all guarantees are based on."""
    if confidence.guaranteed:
        return f"Guarantees hold for images like the held-out ones ({confidence.source})."
    unit = confidence.unit
    if confidence.shots < FEWEST:
        others = ", or calibrate on others with --calibration SPLIT" if unit == "image" else ""
        return (
            f"There are too few labels to guarantee anything: with {confidence.shots} {unit}s per"
            " class, heads fitted without a fold have learnt far less than this one, and sets can"
            " contain the true class far less often than requested. Provide at least"
            f" {FEWEST} {unit}s per class{others}."
        )
    return (
        f"Guarantees hold for {unit}s like those of the support, classified by heads fitted without"
        " them (folds): they tend to be conservative, as measured, but no theorem covers this."
    )
