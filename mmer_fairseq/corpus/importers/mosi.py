"""``mmer import mosi``: CMU-MOSI, opinions on films from the web with their sentiment.

2,199 clips of 93 videos. Read are a table of labels, the transcripts and the recordings of the raw release, whole or a
file a clip. Not used: features of the CMU Multimodal SDK, answers of single annotators, subjectivity.

Licence: for research, see the link; videos of the web, whose makers keep their rights. Nothing is downloaded here.
Source: Zadeh et al., "MOSI: Multimodal Corpus of Sentiment Intensity and Subjectivity Analysis in Online Opinion
Videos", arXiv:1606.06259 (2016); http://multicomp.cs.cmu.edu/resources/cmu-mosi-dataset/
"""

from __future__ import annotations

import argparse

from mmer_fairseq.corpus.importers._cmu import release

HELP = "write a corpus from CMU-MOSI: clips of opinions on films, sentiment from -3 to 3"

MOSI = release.Release(
    name="mosi",
    title="CMU-MOSI",
    licence="research; the makers of the videos keep their rights",
    link="http://multicomp.cs.cmu.edu/resources/cmu-mosi-dataset/",
    clips=2199,
    labels=(
        "OpinionLevelSentiment.csv",
        "Labels/OpinionLevelSentiment.csv",
        "label.csv",
        "Labels/label.csv",
    ),
)

EPILOG = f"""DIR is the raw release of CMU-MOSI, for research; {MOSI.link}
and https://github.com/CMU-MultiComp-Lab/CMU-MultimodalSDK tell how to get it.

Read are, in DIR or DIR/Raw:
  OpinionLevelSentiment.csv   a row a clip: start, end (seconds), video_id, clip, label; without a header, in that
    or in Labels              order
    or label.csv              video_id, clip_id, label, and maybe text, mode (train, valid, test), start, end
  Transcript/Segmented/<video>.annotprocessed   lines clip_DELIM_text
  Video/…                     <video>_<clip>.mp4, <video>/<clip>.mp4 or, where times are known, <video>.mp4
  Audio/…                     the same as .wav (those in a folder WAV_16000, where there is one); for clips that lack
                              it, the track of the video
Folders count with all that is in them; where Video or Audio is not there, DIR is searched. Clips are named
<video>_<clip>. The times of a clip hold for its sound and its video, so both are whole recordings or both segments.

Label space: 'sentiment' is the label, -3 … 3.

Splits are those of --splits (lists of the SDK or of a paper, which are not shipped here), else of the column 'mode',
else the videos are dealt out. 'speaker' is the video: who speaks is not said. The corpus is told to have 89
speakers, so that some are in several videos, and may be in two splits.

  mmer import mosi data/mosi --root CMU_MOSI --splits MOSI_SPLIT
  mmer import mosi data/mosi-whole --root CMU_MOSI --recordings whole --seed 2
  mmer import mosi data/mosi-mmsa --root MOSI --labels MOSI/label.csv"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the flags of ``mmer import mosi``."""
    release.add_arguments(parser, MOSI)


def run(args: argparse.Namespace) -> int:
    """Write the corpus and say what is in it."""
    return release.run(args, MOSI)
