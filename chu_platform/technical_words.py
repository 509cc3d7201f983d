"""The words of messages of libraries that are never a value of a row: those of the system, and of data processing."""

import errno
import os
import re
from typing import Final

_PROCESSING: Final = """
    a above access active address allocate allocated allowed already an and any are argument array arrow as
    assertion at attribute authentication be been before below between binder boolean bound bounds buffer but by
    bytes call cannot cast catalog changed character check client closed code codec collation column columns command
    commit compare compute concurrent condition conflict connect connection constraint conversion convert copy
    corrupt could count create csv cursor damaged data database datatype date deadlock decimal decode delete delta
    denied detected dictionary did different directory disk division does double drop duplicate element empty encode
    encoding end engine enough entry error exceed exceeded exception exclusive execute execution exists expected
    expression extra failed failure field file files filter flag float folder footer for foreign format found from
    full function generic get group had handle has have header i illegal implemented in index inner input insert
    integer internal interrupted interval into invalid invalidinput io is it item iterator join json key keys
    keyword length less limit list local localfilesystem lock locked log longer lost malformed many map match
    maximum memory merge message metadata method minimum mismatch missing mode module more must name names negative
    nested new no node none not null number numeric o object of offset on one only open operand operation
    operational operator option or order os out output overflow page parallel parameter parent parquet parse parser
    partition partitions path permission pipe plan pointer positional possible precision primary process protocol
    quota range read readonly record recursion reference refused relation remote removed rename required reset
    resolve result return right row rows run scalar scan schema script select sequence serialize server session set
    shape should signal size sort space spill sql sqlite start started state statement status stop storage stored
    stream string struct subquery such supported syntax table tables temp temporary than that the there this thread
    time timed timeout timestamp to token too total transaction transactions truncated try tuple two type types
    unable unbound unexpected unicode unique unknown unsigned unsupported until update use used user using utf value
    values vector version view was were when where which while width window with without work write writer wrong you
    zero
"""
TECHNICAL_WORDS: Final = frozenset(
    word.lower()
    for text in (_PROCESSING, *(os.strerror(number) for number in errno.errorcode))
    for word in re.findall(r"[A-Za-z]+", text)
)
