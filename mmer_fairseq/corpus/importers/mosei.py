"""``mmer import mosei``: CMU-MOSEI, monologues from the web with sentiment and six emotions.

About 23,000 clips of 3,228 videos. Read are the labels of single annotators, the transcripts and the recordings of
the raw release, whole or a file a clip; or the ``label.csv`` of others, which has sentiment only. Not used: features of
the CMU Multimodal SDK, the strength of emotions.

Licence: for research, see the link; videos of the web, whose makers keep their rights. Nothing is downloaded here.
Source: Zadeh et al., "Multimodal Language Analysis in the Wild: CMU-MOSEI Dataset and Interpretable Dynamic Fusion
Graph", ACL 2018; http://multicomp.cs.cmu.edu/resources/cmu-mosei-dataset/
"""

from __future__ import annotations

import argparse

from mmer_fairseq.corpus.importers._cmu import release
from mmer_fairseq.corpus.importers._cmu.labels import ANSWERS

HELP = "write a corpus from CMU-MOSEI: clips of monologues, sentiment from -3 to 3 and six emotions"

MOSEI = release.Release(
    name="mosei",
    title="CMU-MOSEI",
    licence="research; the makers of the videos keep their rights",
    link="http://multicomp.cs.cmu.edu/resources/cmu-mosei-dataset/",
    clips=23453,
    labels=("Labels", "label.csv"),
)

EPILOG = f"""DIR is the raw release of CMU-MOSEI, for research; {MOSEI.link}
and https://github.com/CMU-MultiComp-Lab/CMU-MultimodalSDK tell how to get it.

Read are, in DIR or DIR/Raw:
  Labels/*.csv       a row for each annotator of a clip: {", ".join(ANSWERS[:3])},
                     {", ".join(ANSWERS[3:6])},
                     {", ".join(ANSWERS[6:])}
    or label.csv     a row a clip: video_id, clip_id, label, and maybe text, mode (train, valid, test); no emotions
  Transcript/Segmented/Combined/<video>.txt   lines video___clip___start___end___text
  Videos/…           <video>.mp4, <video>_<clip>.mp4 or <video>/<clip>.mp4
  Audio/…            the same as .wav (those in a folder WAV_16000, where there is one); for clips that lack it, the
                     track of the video
Folders count with all that is in them; where Videos or Audio is not there, DIR is searched. Clips are named
<video>_<clip>. The times of a clip hold for its sound and its video, so both are whole recordings or both segments.

Label spaces: 'sentiment' is the mean over annotators, -3 … 3; 'emotions' is anger, disgust, fear, happy, sad,
surprise, each yes where the sum over annotators is above 0. Clips without any emotion are kept.

Splits are those of --splits (lists of the SDK or of a paper, which are not shipped here), else of the column 'mode',
else the videos are dealt out. 'speaker' is the video: who speaks is not said. The corpus is told to have about
1,000 speakers, so that one of them may be in several videos, and in two splits.

  mmer import mosei data/mosei --root CMU_MOSEI --splits MOSEI_SPLIT
  mmer import mosei data/mosei-words --root CMU_MOSEI --modalities text audio --recordings whole --seed 2
  mmer import mosei data/mosei-mmsa --root MOSEI --labels MOSEI/label.csv"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``mmer import mosei``."""
    release.add_arguments(parser, MOSEI)


def run(args: argparse.Namespace) -> int:
    """Write the corpus and say what is in it."""
    return release.run(args, MOSEI)
