// What a filter wants changed, done to a message: its header and its envelope. A new body is not among it.
#pragma once

#include <string>

#include "libmail/base/result.h"
#include "libmail/milter/answer.h"
#include "libmail/milter/header_edit.h"
#include "libmail/smtp/envelope.h"

namespace posthorn::milter {

// The error is for the log: an address that is none, a field that can't be one. `leading_space`: values of fields bring
// the blank behind the colon along. A recipient who is there already isn't added, one who is not there can't be missed.
[[nodiscard]] Result<void, std::string> apply(const Change& change, bool leading_space,
                                              HeaderEdit& header, smtp::Envelope& envelope);

}  // namespace posthorn::milter
