// One question under a TSIG: a secondary's for the SOA, a primary's NOTIFY.
#pragma once

#include <string>

#include "libdns/dnssec/tsig.h"
#include "libmail/async/endpoint.h"
#include "libmail/async/task.h"
#include "libmail/async/timer.h"

namespace posthorn::dnsd {

// The answer, whose signature is good, over a stream of its own: the id is part of what is signed,
// so the datagrams of an Exchange, which gives ids, won't do. The error is a sentence.
async::Task<Result<std::string, std::string>> ask_signed(async::Endpoint server, std::string query,
                                                         dns::TsigKey key,
                                                         async::Deadline deadline);

}  // namespace posthorn::dnsd
