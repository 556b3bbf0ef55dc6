"""What the details of faces are worth, measured on research data; fits the rules anew.

    python benchmarks/face_details.py --data DATA [--only pose,turns,mouth,smile,eyes,gaze,border,quality]

`--data` holds `faces/lfw_150`, `faces/celebs_aligned_112`, `portraits/images`, `expressions`. `face_labels.csv` beside
this file says of 618 pictures whether the eyes and the mouth are open, judged by looking at crops without knowing what
the rules say. The rules are fitted on the celebrities and measured on LFW. Of the celebrities 200 mouths were drawn at
random, of LFW 240; of eyes, those with the least gap between the lids (200 and 150) and some of the rest at random (70
and 90). What could not be judged has no label: squinting and downcast eyes, above all.
"""

from __future__ import annotations

import argparse
import csv
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict
from turning import turned_head

from sightline.images.decode import read
from sightline.images.geometry import Points, warp
from sightline.images.picture import Pixels
from sightline.tasks.details import eyes as eye_rules
from sightline.tasks.details import mouth as mouth_rules
from sightline.tasks.details.landmarks import DEFAULT, place
from sightline.tasks.details.logistic import Logistic
from sightline.tasks.details.occlusion import cut_off
from sightline.tasks.details.pose import Head, angles, solve_head
from sightline.tasks.details.quality import face_quality
from sightline.tasks.details.types import Pose
from sightline.tasks.face_details import load_describer

LABELS = Path(__file__).with_name("face_labels.csv")
FITTED_ON, MEASURED_ON = "celebs_aligned_112", "lfw_150"


class Seen(NamedTuple):
    pixels: Pixels
    mesh: Points
    head: Head

    @property
    def pose(self) -> Pose:
        return angles(self.head.rotation)


class Bench:
    """The models, and the folder of the data."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.describer = load_describer()
        self.iris = self.describer.eyes
        self.emotion = self.describer.emotion

    def see(self, pixels: Pixels) -> Seen | None:
        """The largest face; None where there is none that the mesh is sure of."""
        faces = self.describer.detector.detect(pixels)
        if not faces:
            return None
        mesh, score = self.describer.mesher.points(pixels, max(faces, key=lambda face: face.box.area))
        head = solve_head(mesh) if score >= 0.5 else None
        return None if head is None else Seen(pixels, mesh, head)

    def some(self, folder: str, step: int) -> Iterator[Seen]:
        """Every `step`-th picture of a folder with a face."""
        for path in sorted((self.data / folder).iterdir())[::step]:
            seen = self.see(read(path).pixels)
            if seen is not None:
                yield seen


def say(what: str, **figures: object) -> None:
    shown = (
        f"{name} {value:.3f}" if isinstance(value, float) else f"{name} {value}" for name, value in figures.items()
    )
    print(f"| {what} | {', '.join(shown)} |", flush=True)


def judged(what: str, truth: np.ndarray, measures: np.ndarray, rule: Logistic) -> None:
    """The rule in use on these labels, and the rule that they would give, by 5-fold cross-validation."""
    said = np.array([rule(*row) for row in measures])
    right = (said >= 0.5) == truth
    fitted = LogisticRegression(C=1e4, max_iter=1000)
    again = cross_val_predict(fitted, measures, truth, cv=5, method="predict_proba")[:, 1]
    fitted.fit(measures, truth)
    say(
        what,
        n=len(truth),
        yes=int(truth.sum()),
        auc=float(roc_auc_score(truth, said)),
        accuracy=float(right.mean()),
        calibration_error=calibration_error(truth, said),
        cross_validated_accuracy=float(((again >= 0.5) == truth).mean()),
        weights=np.round(fitted.coef_[0], 3).tolist(),
        bias=round(float(fitted.intercept_[0]), 3),
    )


def calibration_error(truth: np.ndarray, said: np.ndarray) -> float:
    """The mean difference of probability and frequency over ten bins (Guo et al. 2017)."""
    bins = np.minimum((said * 10).astype(int), 9)
    groups = [bins == index for index in range(10)]
    return float(sum(abs(said[g].sum() - truth[g].sum()) for g in groups) / len(truth))


def robust_sd(values: np.ndarray) -> float:
    low, high = np.percentile(values, [16, 84])
    return float(high - low) / 2


# -- pose


def pose(bench: Bench) -> None:
    """Turned and mirrored copies of 150 portraits."""
    rolls: dict[int, list[tuple[float, float, float]]] = {15: [], 30: [], 45: []}
    mirrored = []
    for seen in bench.some("portraits/images", 9):
        height, width = seen.pixels.shape[:2]
        first = seen.pose
        other = bench.see(np.ascontiguousarray(seen.pixels[:, ::-1]))
        if other is not None:
            mirrored.append((first.yaw, other.pose.yaw, first.pitch - other.pose.pitch, first.roll + other.pose.roll))
        for angle, rows in rolls.items():
            about = cv2.getRotationMatrix2D((width / 2, height / 2), -angle, 1.0)  # clockwise
            turned = bench.see(warp(seen.pixels, about, width, height, border=cv2.BORDER_REPLICATE))
            if turned is not None:
                after = turned.pose
                rows.append((after.roll - first.roll - angle, after.yaw - first.yaw, after.pitch - first.pitch))
    for angle, rows in rolls.items():
        errors = np.abs(rows)
        roll, yaw, pitch = np.median(errors, axis=0)
        say(
            f"picture turned by {angle} degrees: median error",
            n=len(rows),
            roll=float(roll),
            yaw=float(yaw),
            pitch=float(pitch),
            roll_95th=float(np.percentile(errors[:, 0], 95)),
        )
    pairs = np.array(mirrored)
    aside = np.abs(pairs[:, 0]) > 5
    say(
        "mirrored: yaw has the other sign where it was over 5 degrees",
        n=int(aside.sum()),
        share=float((pairs[aside, 0] * pairs[aside, 1] < 0).mean()),
    )
    say(
        "mirrored: median |yaw + yaw'|, |pitch - pitch'|, |roll + roll'|",
        n=len(pairs),
        yaw=float(np.median(np.abs(pairs[:, 0] + pairs[:, 1]))),
        pitch=float(np.median(np.abs(pairs[:, 2]))),
        roll=float(np.median(np.abs(pairs[:, 3]))),
    )


def turns(bench: Bench) -> None:
    """Heads of 60 portraits turned further in the picture: what the solved pose makes of it."""
    portraits = list(bench.some("portraits/images", 22))
    for axis in ("yaw", "pitch"):
        rows = []
        for by in (-20, -10, 10, 20):
            for seen in portraits:
                turned = bench.see(
                    turned_head(
                        seen.pixels,
                        seen.mesh,
                        seen.head,
                        Pose(0.0, by if axis == "yaw" else 0.0, by if axis == "pitch" else 0.0),
                    )
                )
                if turned is not None:
                    rows.append((by, getattr(turned.pose, axis) - getattr(seen.pose, axis)))
        wanted, got = np.array(rows).T
        slope = float(np.polyfit(wanted, got, 1)[0])
        say(
            f"head turned by 10 or 20 degrees of {axis}",
            n=len(rows),
            slope=slope,
            median_error=float(np.median(np.abs(got - wanted))),
            right_sign=float((got * wanted > 0).mean()),
        )


# -- mouth


def labelled(bench: Bench, column: str, folder: str, shrink: float = 1.0) -> Iterator[tuple[Seen, bool]]:
    """The labelled faces of a folder, and whether what the column names is open."""
    with LABELS.open() as lines:
        rows = [row for row in csv.DictReader(lines) if row[column] and row["file"].startswith(folder)]
    for row in rows:
        pixels = read(bench.data / "faces" / row["file"]).pixels
        if folder == FITTED_ON:  # cut so close that the detector needs a border
            pixels = cv2.copyMakeBorder(pixels, *[pixels.shape[0] // 4] * 4, cv2.BORDER_REPLICATE)
        seen = bench.see(cv2.resize(pixels, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA))
        if seen is not None:
            yield seen, row[column] == "open"


def mouth(bench: Bench) -> None:
    for folder in (FITTED_ON, MEASURED_ON):
        faces = list(labelled(bench, "mouth", folder))
        are = np.array([is_open for _, is_open in faces])
        gaps = np.array([[mouth_rules.measure(seen.mesh, seen.head).gap] for seen, _ in faces])
        judged(f"mouth open, {folder}", are, gaps, mouth_rules.OPEN)
    yaw = np.array([abs(seen.pose.yaw) for seen, _ in faces])
    for low, high in ((0, 10), (10, 20), (20, 90)):
        here = (yaw >= low) & (yaw < high)
        say(
            f"mouth open, {folder}, yaw {low} to {high}",
            n=int(here.sum()),
            auc=float(roc_auc_score(are[here], gaps[here, 0])),
        )


def smile(bench: Bench) -> None:
    """FER2013's held-out faces by the votes of ten people: a smile has six for happiness or more, none has one or none.
    The rule is fitted on 1,500 faces of its training folder."""
    with (bench.data / "expressions/votes.csv").open() as lines:
        votes = {row["file"]: int(row["happiness"]) for row in csv.DictReader(lines)}
    clear = sorted(name for name, happy in votes.items() if happy >= 6 or happy <= 1)
    picked = np.random.default_rng(0).permutation([name for name in clear if name.startswith("train/")])[:1500]
    folders: dict[str, list[tuple[bool, list[float], float]]] = {"train": [], "valid": []}
    names = [*picked, *(name for name in clear if name.startswith("valid/"))]
    for name in names[:: 1 if len(names) < 6000 else 2]:
        small = read(bench.data / "expressions" / name).pixels
        large = cv2.copyMakeBorder(
            cv2.resize(small, None, fx=4, fy=4, interpolation=cv2.INTER_CUBIC), *[48] * 4, cv2.BORDER_REPLICATE
        )
        seen = bench.see(large)
        if seen is None:
            continue
        (row,) = bench.emotion.classifier.scores(small[None])
        happy = float(row[bench.emotion.card.labels.index("happy")])
        lengths = mouth_rules.measure(seen.mesh, seen.head)
        folders[name.split("/")[0]].append((votes[name] >= 6, [lengths.width, lengths.lift, lengths.drop], happy))
    for folder, rows in folders.items():
        truth, measures = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
        judged(f"smile by the mesh, FER2013 {folder}", truth, measures, mouth_rules.SMILE)
    truth, scores = np.array([row[0] for row in folders["valid"]]), np.array([row[2] for row in folders["valid"]])
    say(
        "smile by the expression network, FER2013 valid",
        n=len(truth),
        auc=float(roc_auc_score(truth, scores)),
        accuracy=float(((scores >= 0.5) == truth).mean()),
        calibration_error=calibration_error(truth, scores),
    )


# -- eyes


def eyes(bench: Bench) -> None:
    """On LFW also at smaller sizes: the labels stay."""
    for folder, shrink in (
        (FITTED_ON, 1.0),
        (MEASURED_ON, 1.0),
        (MEASURED_ON, 0.7),
        (MEASURED_ON, 0.5),
        (MEASURED_ON, 0.35),
    ):
        faces = list(labelled(bench, "eyes", folder, shrink))
        are = np.array([is_open for _, is_open in faces])
        found = [(bench.iris.eyes(seen.pixels, seen.mesh), seen.head) for seen, _ in faces]
        gaps = np.array([[eye_rules.opening(*one)] for one in found])
        width = float(np.median([head.scale for _, head in found])) * 2.9
        judged(f"eyes open, {folder}, {width:.0f} pixels wide", are, gaps, eye_rules.OPEN)
        said = np.array([eye_rules.OPEN(*gap) for gap in gaps]) >= 0.5
        say(
            "of the open ones, of the closed ones right",
            open=float(said[are].mean()),
            closed=float((~said[~are]).mean()),
        )
    some = bench.some("faces/lfw_150", 15)
    said = np.array([eye_rules.eyes_open(bench.iris.eyes(seen.pixels, seen.mesh), seen.head).value for seen in some])
    say("eyes of all faces in LFW said to be closed", n=len(said), share=float((~said).mean()))


def gaze(bench: Bench) -> None:
    """On portraits, at smaller sizes too. Most people there look into the camera: the eyes turn against the head."""
    portraits = list(bench.some("portraits/images", 6))
    for shrink in (1.0, 0.5, 0.3):
        rows = []
        for seen in portraits:
            now = (
                seen
                if shrink == 1
                else bench.see(cv2.resize(seen.pixels, None, fx=shrink, fy=shrink, interpolation=cv2.INTER_AREA))
            )
            if now is None or abs(now.pose.yaw) > 25:
                continue
            found = bench.iris.eyes(now.pixels, now.mesh)
            if not eye_rules.eyes_open(found, now.head).value:
                continue
            both = eye_rules.eye_direction(found, now.head)
            left, right = (eye_rules.eye_direction((eye, eye), now.head) for eye in found)
            rows.append(
                (now.pose.yaw, now.pose.pitch, both.yaw, both.pitch, left.yaw - right.yaw, now.head.scale * 2.9)
            )
        yaw, pitch, by, up, apart, width = np.array(rows).T
        say(
            f"eye direction, eyes {np.median(width):.0f} pixels wide",
            n=len(rows),
            slope_against_head_yaw=float(np.polyfit(yaw, by, 1)[0]),
            slope_against_head_pitch=float(np.polyfit(pitch, up, 1)[0]),
            median_yaw=float(np.median(by)),
            median_pitch=float(np.median(up)),
            off_camera_yaw_sd=robust_sd(by + yaw),
            within_10_of_camera=float((np.abs(by + yaw) <= 10).mean()),
            eyes_disagree_yaw_sd=robust_sd(apart) / 2,
        )


# -- border, quality


def border(bench: Bench) -> None:
    """Portraits cut at a known height of the face; what was cut off is known from the whole."""
    right = said = cut = caught = 0
    for index, seen in enumerate(bench.some("portraits/images", 7)):
        whole = place(seen.mesh, None)
        height, width = seen.pixels.shape[:2]
        at = [whole["nose"][1], whole["mouthLeft"][1] + seen.head.scale, whole["mouthLeft"][1] - seen.head.scale][
            index % 3
        ]
        edge = int(np.clip(round(at), 1, height))
        part = np.ascontiguousarray(seen.pixels[:edge])
        missing = any(whole[name][1] > edge for name in DEFAULT)
        found = bench.see(part)
        answer = None if found is None else cut_off(place(found.mesh, None), width, edge, found.head)
        if found is not None:
            cut += missing
            caught += missing and answer is not None
        if answer is not None:
            said += 1
            right += missing
    say(
        "face cut off by the border",
        n=cut,
        found=caught / max(cut, 1),
        of_its_yes_right=right / max(said, 1),
        said=said,
    )


def quality(bench: Bench) -> None:
    """Copies ever more blurred and ever darker."""
    kept = {"sharpness": [], "brightness": []}
    values: dict[str, list[list[float]]] = {"sharpness": [], "brightness": []}
    for seen in bench.some("portraits/images", 12):
        face = float(np.ptp(seen.mesh[:, 0]))
        blurred = [seen.pixels, *(cv2.GaussianBlur(seen.pixels, (0, 0), share * face) for share in (0.01, 0.02, 0.04))]
        darker = [(seen.pixels * np.float32(share)).astype(np.uint8) for share in (1, 0.7, 0.5, 0.3)]
        for name, copies in (("sharpness", blurred), ("brightness", darker)):
            box = None
            got = [getattr(face_quality(copy, box, seen.mesh), name) for copy in copies]  # type: ignore[arg-type]
            values[name].append(got)
            kept[name].append(all(a > b for a, b in itertools.pairwise(got)))
    for name, rows in values.items():
        say(
            f"{name} of ever {'more blurred' if name == 'sharpness' else 'darker'} copies",
            n=len(rows),
            always_falls=float(np.mean(kept[name])),
            medians=np.round(np.median(rows, axis=0), 1).tolist(),
        )


PARTS: dict[str, Callable[[Bench], None]] = {
    "pose": pose,
    "turns": turns,
    "mouth": mouth,
    "smile": smile,
    "eyes": eyes,
    "gaze": gaze,
    "border": border,
    "quality": quality,
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--only", default=",".join(PARTS))
    arguments = parser.parse_args()
    bench = Bench(arguments.data)
    print("| what | figures |\n|---|---|")
    for name in arguments.only.split(","):
        PARTS[name](bench)


if __name__ == "__main__":
    main()
