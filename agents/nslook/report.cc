// Text. JSON is in report_json.cc.
#include "agents/nslook/report.h"

#include <fmt/format.h>

#include "libmail/base/text.h"

namespace posthorn::nslook {

namespace {

// Absolute names stand with their dot where nslookup has it: behind "=".
std::string dotted(const dns::Name& name) {
  return name.is_root() ? "." : name.text() + ".";
}

// What stands behind the owner and a tab; one overload a type that nslookup has words for.
std::string words_of(const dns::Ns& ns) {
  return "nameserver = " + dotted(ns.host);
}
std::string words_of(const dns::Cname& cname) {
  return "canonical name = " + dotted(cname.target);
}
std::string words_of(const dns::Dname& dname) {
  return "dname = " + dotted(dname.target);
}
std::string words_of(const dns::Ptr& ptr) {
  return "name = " + dotted(ptr.target);
}
std::string words_of(const dns::Mx& mx) {
  return fmt::format("mail exchanger = {} {}", mx.preference, dotted(mx.exchange));
}
std::string words_of(const dns::Txt& txt) {
  return "text = " + dns::to_text(txt);
}
std::string words_of(const dns::Srv& srv) {
  return "service = " + dns::to_text(srv);
}
std::string words_of(const dns::Soa& soa) {
  return fmt::format(
      "\n\torigin = {}\n\tmail addr = {}\n\tserial = {}\n\trefresh = {}\n\tretry = {}\n"
      "\texpire = {}\n\tminimum = {}",
      soa.primary.text(), soa.mailbox.text(), soa.serial, soa.refresh, soa.retry, soa.expire,
      soa.minimum);
}

template <class T>
concept HasWords = requires(const T& data) { words_of(data); };

std::string section_text(std::string_view title, std::span<const dns::RecordView> records) {
  std::string text = fmt::format("    {}:\n", title);
  for (const dns::RecordView& view : records) {
    if (view.type == dns::Type::opt) continue;
    text += "    ->  " + view.record().text() + "\n";
  }
  return text;
}

std::string edns_text(const dns::Edns& edns) {
  std::string text = fmt::format("    EDNS: version {}, flags{}, udp {}\n", edns.version,
                                 edns.dnssec_ok ? " do" : "", edns.udp_octets);
  for (const dns::EdnsOption& option : edns.options) {
    if (option.code == dns::edns_extended_error) continue;
    text += fmt::format("    OPTION {}: {}\n", option.code, hex(option.octets));
  }
  if (const auto why = edns.extended_error())
    text += "    EXTENDED ERROR: " + why->describe() + "\n";
  return text;
}

std::string server_text(const Place& place) {
  return fmt::format("Server:\t\t{}\nAddress:\t{}\n\n", place.name, place.address_text());
}

// The extended error as a line of its own: why SERVFAIL.
std::string why_text(const dns::MessageView& view) {
  if (!view.edns()) return "";
  const auto why = view.edns()->extended_error();
  return why ? "** " + why->describe() + "\n" : "";
}

bool is_hidden(const dns::RecordView& record, bool is_first, dns::Type asked) {
  // Behind the answer for A, the one for AAAA would tell the aliases again.
  if (!is_first && record.type == dns::Type::cname && asked != dns::Type::cname) return true;
  return false;
}

std::string answer_text(const Asked& asked, bool is_first) {
  const dns::MessageView view = asked.reply->view();
  std::string records;
  for (const dns::RecordView& record : view.answer()) {
    if (!is_hidden(record, is_first, asked.question.type)) records += show_record(record.record());
  }
  if (records.empty() || !is_first) return records;
  return (view.header().authoritative ? "" : "Non-authoritative answer:\n") + records;
}

std::string authority_text(const dns::MessageView& view) {
  std::string text;
  for (const dns::RecordView& record : view.authority()) {
    if (record.type == dns::Type::ns) text += show_record(record.record());
  }
  if (text.empty()) return "";
  text = "\nAuthoritative answers can be found from:\n" + text;
  for (const dns::RecordView& record : view.additional()) {
    if (record.type == dns::Type::a || record.type == dns::Type::aaaa) {
      text += fmt::format("{}\tinternet address = {}\n", record.owner.text(),
                          dns::to_text(record.data()));
    }
  }
  return text;
}

// Nothing found: what the server said.
std::string refusal_text(const Asked& asked) {
  const dns::Rcode rcode = asked.reply->rcode();
  const std::string name = shown(asked.question.name);
  const std::string why = why_text(asked.reply->view());
  if (rcode == dns::Rcode::noerror) return "*** Can't find " + name + ": No answer\n" + why;
  return fmt::format("** server can't find {}: {}\n{}", name, dns::to_string(rcode), why);
}

std::string debug_text(const Asked& asked, bool with_query) {
  std::string text;
  if (with_query) {
    const auto query = dns::MessageView::parse(asked.reply->query);
    if (query) text += show_message(*query, "SENT");
  }
  return text + show_message(asked.reply->view(), "GOT ANSWER");
}

std::string brief_text(const LookUp& look_up) {
  std::string text;
  for (const Asked& asked : look_up.asked) {
    if (!asked.reply) continue;
    const dns::MessageView view = asked.reply->view();
    for (const dns::RecordView& record : view.answer()) {
      const bool wanted =
          record.type == asked.question.type || asked.question.type == dns::Type::any;
      if (wanted) text += dns::to_text(record.data()) + "\n";
    }
  }
  return text;
}

}  // namespace

std::string shown(const dns::Name& name) {
  return name.is_root() ? "." : name.text();
}

std::vector<std::string> flags_of(const dns::Header& header) {
  std::vector<std::string> flags;
  const auto add = [&](bool is_set, std::string_view name) {
    if (is_set) flags.emplace_back(name);
  };
  add(header.response, "qr");
  add(header.authoritative, "aa");
  add(header.truncated, "tc");
  add(header.recursion_desired, "rd");
  add(header.recursion_available, "ra");
  add(header.authentic_data, "ad");
  add(header.checking_disabled, "cd");
  return flags;
}

std::string show_record(const dns::Record& record) {
  const std::string owner = shown(record.owner);
  if (record.type() == dns::Type::a || record.type() == dns::Type::aaaa) {
    return fmt::format("Name:\t{}\nAddress: {}\n", owner, dns::to_text(record.data));
  }
  const std::string words = std::visit(
      [&record](const auto& data) {
        if constexpr (HasWords<std::decay_t<decltype(data)>>) {
          return words_of(data);
        } else {
          return lower(dns::to_string(record.type())) + " = " + dns::to_text(record.data);
        }
      },
      record.data);
  const std::string_view gap = words.starts_with('\n') ? "" : "\t";
  return fmt::format("{}{}{}\n", owner, gap, words);
}

std::string show_message(const dns::MessageView& message, std::string_view title) {
  const dns::Header& header = message.header();
  std::string text = fmt::format("------------\n{}:\n    HEADER:\n", title);
  text += fmt::format("\topcode = {}, id = {}, rcode = {}\n\tflags: {}\n",
                      static_cast<int>(header.opcode), header.id, dns::to_string(message.rcode()),
                      fmt::join(flags_of(header), " "));
  text += fmt::format("\tquestions = {}, answers = {}, authority records = {}, additional = {}\n",
                      message.questions().size(), message.answer().size(),
                      message.authority().size(), message.additional().size());
  text += "    QUESTIONS:\n";
  for (const dns::QuestionView& question : message.questions()) {
    const std::string name = shown(question.name.name());
    text += fmt::format("\t{}, type = {}, class = {}\n", name, dns::to_string(question.type),
                        dns::to_string(question.klass));
  }
  text += section_text("ANSWERS", message.answer());
  text += section_text("AUTHORITY RECORDS", message.authority());
  text += section_text("ADDITIONAL RECORDS", message.additional());
  if (message.edns()) text += edns_text(*message.edns());
  return text + "------------\n";
}

std::string show_failure(const Failure& failure) {
  if (failure.kind == Failure::Kind::silent) {
    return ";; " + failure.text + "; no servers could be reached\n";
  }
  return ";; " + failure.text + "\n";
}

std::string show(const LookUp& look_up, const Settings& settings) {
  if (!look_up.fault.empty()) return "*** " + look_up.fault + "\n";
  if (settings.brief) {
    std::string text = brief_text(look_up);
    if (!look_up.is_answered() && !look_up.asked.empty()) {
      text += show_failure(look_up.asked.back().reply.error());
    }
    return text;
  }
  std::string text;
  std::string authority;
  bool is_first = true;
  for (const Asked& asked : look_up.asked) {
    if (!asked.reply) {
      text += show_failure(asked.reply.error());
      continue;
    }
    if (is_first) text += server_text(asked.reply->server);
    if (settings.debug) text += debug_text(asked, settings.d2);
    text += answer_text(asked, is_first);
    authority = authority_text(asked.reply->view());
    is_first = false;
  }
  if (!look_up.is_found() && look_up.is_answered()) {
    for (const Asked& asked : look_up.asked) {
      if (!asked.reply) continue;
      text += refusal_text(asked);
      break;
    }
  }
  return text + authority + "\n";
}

}  // namespace posthorn::nslook
