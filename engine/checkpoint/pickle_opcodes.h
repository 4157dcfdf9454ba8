// Opcodes of pickles that state dicts use, as CPython's Lib/pickletools.py names them.
#pragma once

#include <cstdint>

namespace oneshot {

inline constexpr uint8_t kProto = 0x80, kFrame = 0x95, kStop = '.', kMark = '(', kNone = 'N',
                         kNewTrue = 0x88, kNewFalse = 0x89, kBinInt = 'J', kBinInt1 = 'K',
                         kBinInt2 = 'M', kLong1 = 0x8a, kBinFloat = 'G', kBinUnicode = 'X',
                         kShortBinUnicode = 0x8c, kBinUnicode8 = 0x8d, kEmptyTuple = ')',
                         kTuple = 't', kTuple1 = 0x85, kTuple2 = 0x86, kTuple3 = 0x87,
                         kEmptyList = ']', kAppend = 'a', kAppends = 'e', kEmptyDict = '}',
                         kSetItem = 's', kSetItems = 'u', kGlobal = 'c', kStackGlobal = 0x93,
                         kReduce = 'R', kBuild = 'b', kBinPersId = 'Q', kBinPut = 'q',
                         kLongBinPut = 'r', kMemoize = 0x94, kBinGet = 'h', kLongBinGet = 'j';

}  // namespace oneshot
