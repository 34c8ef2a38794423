"""What is guaranteed of answers, in sentences: how much, resting on what, and what is missing."""

from clipfg.confidence.confidence import Confidence
from clipfg.confidence.temperature_extrapolation import FEWEST
from clipfg.functional.conformal import fewest_calibrating
from clipfg.functional.novelty import FALSE_ALARMS
from clipfg.functional.selective import SelectionThreshold, candidates, fewest_right

NAMES = {
    "softmax": "the largest probability",
    "energy": "the energy of the logits",
    "concept-softmax": "the largest softmax share of cosines with the classes' concepts",
    "neighbour": "the cosine with the nearest labelled image",
}


NO_LABELS = (
    "Expected a head with a record of its confidence, for what it takes labelled images: of class"
    " names alone no error, set or unknown can be guaranteed. Fit one by `clipfg fewshot ... --save"
    " FILE` and use it by --head FILE."
)
UNCALIBRATED = (
    "Groups are named by the encoder's own probabilities, which no labelled image has checked."
)


def error_note(
    confidence: Confidence, target: float, cut: SelectionThreshold | None, certainty: float
) -> str:
    """Of answers under a threshold, or why there are none."""
    if cut is None:
        needed = fewest_right(target, 1 - (1 - certainty) / candidates(len(confidence)))
        return (
            f"No answer is given: {len(confidence):,} held-out images nowhere show that at most"
            f" {target:.0%} of answers are wrong; that takes {needed:,} sure answers, all right, at"
            " the very least. Add labelled images or raise --target-error."
        )
    return (
        f"At most {target:.0%} of answers are wrong, with {certainty:.0%} confidence:"
        f" {cut.wrong:,} of {cut.answered:,} answered held-out images were, of"
        f" {len(confidence):,} in all."
    )


def sets_note(confidence: Confidence, level: float, each_class: bool) -> str:
    """Of prediction sets, or why there are none."""
    needed = fewest_calibrating(level)
    if len(confidence) < needed:
        return (
            f"No sets are given: sets that hold the true class {level:.0%} of the time take"
            f" {needed:,} held-out images, there are {len(confidence):,}."
        )
    guarantee = (
        f"Sets hold the true class of at least {level:.0%} of images, on average over all classes"
        f" ({len(confidence):,} held-out images)."
    )
    if each_class:
        enough = int(confidence.with_enough(level).sum())
        guarantee = (
            f"Sets hold the true class of at least {level:.0%} of each class's images for"
            f" {enough:,} of {confidence.classes:,} classes."
        )
        if enough < confidence.classes:
            guarantee += (
                f" The others have fewer than the {needed:,} held-out images that takes; their"
                " sets go by all classes' images together."
            )
    return guarantee


def unknown_note(confidence: Confidence) -> str:
    """Of images that are called unknown, or why none is."""
    detector = confidence.ood
    if detector is None:
        return (
            "No image is called unknown: the head was saved without --unknown, or had too few"
            " images or classes to leave some out; fit it again by `clipfg fewshot ... --unknown`"
            " with two images of each class or more."
        )
    needed = fewest_calibrating(1 - FALSE_ALARMS)
    if len(detector.known) < needed:
        return (
            f"No image is called unknown: one false alarm in {1 / FALSE_ALARMS:.0f} takes"
            f" {needed} held-out images, there are {len(detector.known)}."
        )
    return (
        f"At most {FALSE_ALARMS:.0%} of images of known classes are called unknown, by"
        f" {NAMES[detector.score]}; with groups of classes left out it told a known image from an"
        f" unknown one {detector.aurocs[detector.score]:.0%} of the time (AUROC). How many unknown"
        " ones are caught is not guaranteed: it depends on what they are."
    )


def resting_note(confidence: Confidence) -> str:
    """What all guarantees rest on."""
    if confidence.guaranteed:
        return f"Guarantees hold for images like those held out ({confidence.source})."
    if confidence.shots < FEWEST:
        return (
            f"These are too few labels to guarantee anything: folds of {confidence.shots} images a"
            " class ask heads that have learnt far less than this one, and sets can hold the true"
            f" class far less often than asked for. Give {FEWEST} images of each class, or name"
            " others by --calibration SPLIT."
        )
    return (
        "Guarantees hold for images like those of the support, of which heads fitted without them"
        " were asked (folds): as a rule on the careful side, which was measured and is no theorem."
    )
