"""Who speaks, in clips with several people: faces → tracks → identities, lips against the voice → one face sequence.

``find.find_speaker`` takes pictures and sound; ``mmer faces --speaker`` does the same for every clip of a corpus.
"""
