"""What a released file of each format may hold: everything else is a finding, whatever it is.

Every module has `findings(data)`: what a file of its format holds besides its picture and the mark, in words. A file
that breaks its container's rules raises Malformed.
"""
