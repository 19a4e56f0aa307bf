"""From evidence to an answer: verdict, findings, near misses, fixes, prose, renderers.

Pure; the only knowledge that is ours.
"""
