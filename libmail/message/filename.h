// Names of attachments: strangers choose them, so they are never used as they come.
#pragma once

#include <string>
#include <string_view>

#include "libmail/message/parameters.h"

namespace posthorn::message {

struct Filename {
  std::string name;          // UTF-8 as the message says it, decoded; "" if it says none
  bool conflicting = false;  // "filename", "filename*" and "name" don't agree
};

// The name of a part: "filename" of Content-Disposition, else "name" of Content-Type (null where there
// is no such field). Where a part says two, the one whose extension is more dangerous: that is the one
// a person must see.
[[nodiscard]] Filename part_filename(const ParameterList* disposition, const ParameterList* type);

// A name that can be made in a directory of any system: the last component only, no control, no
// bidirectional or invisible character, none of <>:"/\|?*, no dot in front, no dot or blank at the end,
// no device name of Windows (CON, NUL, COM1), at most 200 octets with the extension kept. Never empty: `otherwise`
// if nothing is left.
[[nodiscard]] std::string filename_for_disk(std::string_view name,
                                            std::string_view otherwise = "attachment");

// A name that can be shown: within U+2068 and U+2069 if it holds anything that runs from right to left, so
// that what stands around it isn't turned; controls and characters that steer text as <U+202E>.
[[nodiscard]] std::string filename_for_display(std::string_view name);

// How much harm a click on it can do: 2 runs a program, 1 may hold one (archives, documents with
// macros, HTML), 0 neither is known.
[[nodiscard]] int filename_danger(std::string_view name);
// "invoice.pdf.exe": an extension that runs behind one that looks harmless, or many blanks before it.
[[nodiscard]] bool has_hidden_extension(std::string_view name);

}  // namespace posthorn::message
