// Replies as text, in nslookup's manner, and as JSON.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "agents/nslook/look_up.h"

namespace posthorn::nslook {

using Json = nlohmann::ordered_json;
// One line, never throws.
[[nodiscard]] std::string dump(const Json& json);

// Without a dot at its end, "." for the root.
[[nodiscard]] std::string shown(const dns::Name& name);
// As `settings` want it: brief, usual, or with whole replies.
[[nodiscard]] std::string show(const LookUp& look_up, const Settings& settings);
[[nodiscard]] std::string show_failure(const Failure& failure);
// A whole message: header, sections, EDNS. `title` heads it ("Got answer").
[[nodiscard]] std::string show_message(const dns::MessageView& message, std::string_view title);
// One record in nslookup's words: "example.org\tmail exchanger = 10 mx.example.org."
[[nodiscard]] std::string show_record(const dns::Record& record);

[[nodiscard]] Json to_json(const dns::Record& record);
[[nodiscard]] Json to_json(const Reply& reply);
[[nodiscard]] Json to_json(const LookUp& look_up);

// "qr rd ra"
[[nodiscard]] std::vector<std::string> flags_of(const dns::Header& header);

}  // namespace posthorn::nslook
