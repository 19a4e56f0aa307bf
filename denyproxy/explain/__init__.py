"""From evidence to an answer: verdict, findings, near misses, fixes, sentences, renderers.

Pure; the only knowledge that is ours.
"""
