/** What is not UTF-8: its name, the bytes, and the offset of the first impossible one. */
export const notUtf8: ReadonlyArray<readonly [string, string, number]> = [
  ["a continuation byte alone", "80", 0],
  ["a continuation byte too many", "c3a980", 2],
  ["an overlong form of 2 bytes", "c0af", 0],
  ["an overlong form of 2 bytes, C1", "c1bf", 0],
  ["an overlong form of 3 bytes", "e09f80", 1],
  ["an overlong form of 4 bytes", "f08fbfbf", 1],
  ["a high surrogate", "eda080", 1],
  ["a low surrogate", "edbfbf", 1],
  ["more than U+10FFFF", "f4908080", 1],
  ["a lead byte above F4", "f5808080", 0],
  ["a byte FE", "fe", 0],
  ["a byte FF", "ff", 0],
  ["a character of 2 bytes cut short", "c341", 1],
  ["a character of 3 bytes cut short", "e28241", 2],
  ["a character of 4 bytes cut short", "f09f9841", 3],
  ["a lead byte after a lead byte", "e2e282", 1],
  ["the sample of Autobahn 6.3", "cebae1bdb9cf83cebcceb5eda080656469746564", 12]
]
