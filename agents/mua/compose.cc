#include "agents/mua/compose.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>

#include "libmail/base/crlf.h"
#include "libmail/base/fd.h"
#include "libmail/base/random.h"
#include "libmail/base/read_file.h"
#include "libmail/base/text.h"
#include "libmail/message/address_format.h"
#include "libmail/message/address_reader.h"
#include "libmail/message/date.h"
#include "libmail/message/flowed.h"
#include "libmail/message/message_id.h"
#include "libmail/message/submission.h"
#include "libmail/render/html_text.h"
#include "libmail/render/markdown.h"
#include "libmail/smtp/envelope.h"

namespace posthorn::mua {

namespace exit_code = service::exit_code;
using message::Address;
using service::ToolError;

namespace {

constexpr std::size_t most_text = 100 << 20;
// Smaller files are encoded in whatever way is cheapest; larger ones go past in pieces, in base64.
constexpr std::uintmax_t in_memory = 1 << 20;

ToolError bad_data(const std::string& text, std::string hint = {}) {
  return {exit_code::data, "bad-data", text, std::move(hint)};
}
ToolError usage(const std::string& text, std::string hint = {}) {
  return {exit_code::usage, "usage", text, std::move(hint)};
}

Result<void, ToolError> add_addresses(const std::vector<std::string>& texts, std::string_view flag,
                                      std::vector<Address>& into) {
  for (const std::string& text : texts) {
    auto list = message::parse_address_list(text);
    if (!list)
      return fail(usage(fmt::format("{} {}: {}", flag, printable(text), list.error().text)));
    for (Address& each : list->mailboxes) {
      if (each.domain.empty())
        return fail(usage(fmt::format("{} {}: there is no domain", flag, printable(text))));
      if (const auto fine = message::check_address(each); !fine)
        return fail(usage(fmt::format("{} {}: {}", flag, printable(text), fine.error())));
      into.push_back(std::move(each));
    }
  }
  return {};
}

std::vector<std::string> recipients_of(const message::Draft& draft) {
  std::vector<std::string> all;
  const auto add = [&](const std::vector<Address>& list) {
    for (const Address& each : list) {
      const std::string spec = each.addr_spec();
      if (std::ranges::find(all, spec) == all.end()) all.push_back(spec);
    }
  };
  add(draft.to.mailboxes);
  add(draft.cc.mailboxes);
  add(draft.bcc);
  return all;
}

// `files` gets the path if the file is to be read while the message is written: the content's id is its place there.
Result<message::BuildPart, ToolError> attachment(const std::string& path,
                                                 std::vector<std::string>& files) {
  message::BuildPart part;
  part.filename = std::filesystem::path(path).filename().string();
  part.type = type_of_file(part.filename);
  part.disposition = message::Presentation::attachment;
  std::error_code error;
  if (std::filesystem::is_regular_file(path, error) &&
      std::filesystem::file_size(path, error) > in_memory) {
    part.content = message::StreamedContent{files.size(), message::Encoding::base64};
    files.push_back(path);
    return part;
  }
  auto octets = read_file(path, most_text);
  if (!octets && octets.error().code == EFBIG)
    return fail(bad_data(path + " is larger than 100 MiB"));
  if (!octets) return fail(bad_data(octets.error().text()));
  part.content = std::move(*octets);
  return part;
}

Result<message::BuildPart, ToolError> make_body(const Account& account, const ComposeFlags& flags,
                                                std::string text,
                                                std::vector<message::BuildPart> more,
                                                std::vector<std::string>& files) {
  message::BodyParts parts;
  if (!account.signature.empty() && text.find("\n-- \n") == std::string::npos)
    text +=
        (text.empty() || text.ends_with('\n') ? "\n-- \n" : "\n\n-- \n") + account.signature + "\n";
  if (flags.markdown) parts.html = render::markdown_to_html(text);
  if (!flags.html.empty()) {
    auto html = read_named_file(flags.html);
    if (!html) return fail(bad_data(flags.html + " can't be read"));
    if (text.empty()) text = render::html_to_text(*html).text;
    parts.html = std::move(*html);
  }
  parts.flowed = true;
  parts.text = message::make_flowed(text);
  for (const std::string& path : flags.attach) {
    auto part = attachment(path, files);
    if (!part) return fail(part.error());
    parts.attachments.push_back(std::move(*part));
  }
  for (message::BuildPart& part : more) parts.attachments.push_back(std::move(part));
  return message::make_body(std::move(parts));
}

Result<void, ToolError> append(OctetsWriter& to, std::string_view text) {
  const auto done = to.append(text);
  if (!done) return fail(tool_error(done.error()));
  return {};
}

Result<Octets, ToolError> finished(OctetsWriter& writer) {
  auto octets = writer.finish();
  if (!octets) return fail(tool_error(octets.error()));
  return std::move(*octets);
}

// One file into the message, in pieces.
Result<void, ToolError> write_file(message::MessageWriter& writer, const std::string& path,
                                   OctetsWriter& to) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file) return fail(bad_data(io_error("open", path).text()));
  std::string octets(Octets::piece, '\0');
  std::string out;
  for (;;) {
    const ssize_t count = ::read(file.get(), octets.data(), octets.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return fail(bad_data(io_error("read", path).text()));
    if (count == 0) break;
    writer.feed(std::string_view(octets).substr(0, static_cast<std::size_t>(count)), out);
    if (auto done = append(to, out); !done) return done;
    out.clear();
  }
  writer.end_source(out);
  return append(to, out);
}

Result<Octets, ToolError> write_message(message::Draft draft, const message::BuildOptions& options,
                                        const std::vector<std::string>& files) {
  using Step = message::MessageWriter::Step;
  auto writer = message::MessageWriter::make(std::move(draft), options);
  if (!writer) return fail(bad_data(writer.error().field + ": " + writer.error().text));
  OctetsWriter to;
  std::string out;
  for (Step step = Step::more; step != Step::done;) {
    out.clear();
    step = writer->next(out);
    if (auto done = append(to, out); !done) return fail(done.error());
    if (step != Step::source) continue;
    if (auto done = write_file(*writer, files[writer->source()], to); !done)
      return fail(done.error());
  }
  return finished(to);
}

std::string now_text() {
  const WallTime now = wall_now();
  return format_rfc5322_date(now);
}

std::string host_of(const Address& from) {
  return from.domain.empty() ? "localhost" : from.domain;
}

}  // namespace

void ComposeFlags::describe(service::OptionTable& table) {
  table.group("Message");
  table.add("to", to, "whom it goes to; a list, or several times").flag_only();
  table.add("cc", cc, "who gets a copy").flag_only();
  table.add("bcc", bcc, "who gets a copy that nobody sees").flag_only();
  table.add("from", from, "the sender; else the account's address").flag_only();
  table.add("subject", subject, "what it is about").flag_only();
  table.add("body", body, "its text; - reads standard input").flag_only();
  table.add("html", html, "a file with an HTML version of the text").flag_only();
  table.add("markdown", markdown, "the text is Markdown: HTML goes beside it").flag_only();
  table.add("attach", attach, "a file to go with it").flag_only();
  table.add("header", headers, "a field more, NAME:VALUE").flag_only();
  table.group("Sending");
  table.add("notify", notify, "reports wanted (RFC 3461): NEVER, or of SUCCESS,FAILURE,DELAY")
      .check_with([](const std::string& text) {
        return text.empty() || smtp::parse_notify(text) ? "" : "is no NOTIFY of RFC 3461";
      })
      .flag_only();
  table.add("ret", ret, "what a report gives back").one_of({"", "FULL", "HDRS"}).flag_only();
  table.add("draft", draft, "put it into the folder of drafts").flag_only();
  table.add("dry-run", dry_run, "print the message and do nothing else").flag_only();
  table.add("edit", edit, "open it in $EDITOR first").flag_only();
  table.add("copy", copy, "keep a copy in the folder of sent mail");
}

bool ComposeFlags::any() const {
  return !to.empty() || !cc.empty() || !bcc.empty() || !subject.empty() || !body.empty() ||
         !html.empty() || !attach.empty();
}

void ComposeFlags::forget_header() {
  for (auto* list : {&to, &cc, &bcc, &headers}) list->clear();
  for (auto* text : {&from, &subject}) text->clear();
}

Result<void, ToolError> apply_addresses(const Account& account, const ComposeFlags& flags,
                                        message::Draft& draft) {
  if (auto done = add_addresses(flags.to, "--to", draft.to.mailboxes); !done) return done;
  if (auto done = add_addresses(flags.cc, "--cc", draft.cc.mailboxes); !done) return done;
  if (auto done = add_addresses(flags.bcc, "--bcc", draft.bcc); !done) return done;
  if (!flags.from.empty()) {
    draft.from.clear();
    if (auto done = add_addresses({flags.from}, "--from", draft.from); !done) return done;
  }
  if (draft.from.empty() && !account.address.domain.empty()) draft.from = {account.address};
  if (draft.from.empty()) {
    return fail(ToolError(exit_code::config, "configuration", "the account has no address",
                          "address = \"...\" in its table, or --from"));
  }
  if (!flags.subject.empty()) draft.subject = flags.subject;
  for (const std::string& line : flags.headers) {
    const auto colon = line.find(':');
    if (colon == std::string::npos) return fail(usage("--header NAME:VALUE has a colon"));
    auto name = message::HeaderName::make(line.substr(0, colon));
    auto value = message::HeaderValue::from_text(trim(std::string_view(line).substr(colon + 1)));
    if (!name) return fail(usage("--header " + printable(line) + ": " + name.error()));
    if (!value) return fail(usage("--header " + printable(line) + ": " + value.error()));
    draft.fields.emplace_back(std::move(*name), std::move(*value));
  }
  return {};
}

Result<Composed, ToolError> compose(const Account& account, message::Draft draft,
                                    const ComposeFlags& flags, std::string text,
                                    std::vector<message::BuildPart> more) {
  if (auto done = apply_addresses(account, flags, draft); !done) return fail(done.error());
  Composed composed;
  composed.letter.recipients = recipients_of(draft);
  if (composed.letter.recipients.empty() && !flags.draft)
    return fail(usage("the message goes to nobody", "--to ADDRESS"));
  std::vector<std::string> files;
  auto body = make_body(account, flags, std::move(text), std::move(more), files);
  if (!body) return fail(body.error());
  draft.body = std::move(*body);
  draft.date = now_text();
  draft.message_id =
      message::make_message_id(wall_now(), random_u64(), host_of(draft.from.front()));
  composed.letter.from = draft.from.front().addr_spec();
  composed.letter.message_id = draft.message_id;
  composed.letter.notify = flags.notify;
  composed.letter.ret = flags.ret;
  composed.subject = draft.subject;
  message::BuildOptions options;
  options.random = random_u64();
  const bool bcc = flags.draft && !draft.bcc.empty();
  if (bcc) {
    options.write_bcc = true;
    auto with_bcc = write_message(draft, options, files);
    if (!with_bcc) return fail(with_bcc.error());
    composed.for_draft = std::move(*with_bcc);
    options.write_bcc = false;
  }
  auto built = write_message(std::move(draft), options, files);
  if (!built) return fail(built.error());
  composed.letter.message = std::move(*built);
  if (!bcc) composed.for_draft = composed.letter.message;
  return composed;
}

namespace {

// A whole message is sent as it stands: the first option that would have changed it, "" if there is none.
std::string_view changing_option(const ComposeFlags& flags) {
  if (!flags.subject.empty()) return "--subject";
  if (!flags.body.empty()) return "--body";
  if (!flags.html.empty()) return "--html";
  if (flags.markdown) return "--markdown";
  if (!flags.attach.empty()) return "--attach";
  if (!flags.headers.empty()) return "--header";
  return flags.edit ? "--edit" : "";
}

}  // namespace

namespace {

// Its octets with CRLF, without the line that an mbox puts in front.
Result<Octets, ToolError> taken_in(const OctetSource& source) {
  OctetsWriter to;
  std::string wire;
  std::string begin;
  bool after_cr = false;
  for (bool begun = false;;) {
    auto piece = source();
    if (!piece) return fail(piece.error());
    if (!begun) {
      begin += *piece;
      const bool more =
          !piece->empty() && begin.size() < Octets::piece && begin.find('\n') == std::string::npos;
      if (more) continue;
      begun = true;
      if (begin.starts_with("From "))
        begin.erase(0, std::min(begin.find('\n'), begin.size() - 1) + 1);
      std::swap(begin, *piece);
      if (begin.empty() && piece->empty()) return finished(to);
    } else if (piece->empty()) {
      return finished(to);
    }
    wire.clear();
    append_crlf(*piece, after_cr, wire);
    if (auto done = append(to, wire); !done) return fail(done.error());
  }
}

// `first` in front of `octets`, through `filter` if there is one.
Result<Octets, ToolError> passed_on(const std::string& first, const Octets& octets,
                                    message::SubmissionFilter* filter) {
  OctetsWriter to;
  Result<void, ToolError> kept;
  std::string out;
  const auto take = [&](std::string_view text) {
    out.clear();
    if (filter != nullptr)
      filter->feed(text, out);
    else
      out = text;
    kept = append(to, out);
    return kept.has_value() && (filter == nullptr || !filter->problem());
  };
  if (take(first)) {
    const auto read = octets.each(take);
    if (!read) return fail(tool_error(read.error()));
  }
  if (kept && filter != nullptr) {
    out.clear();
    filter->finish(out);
    kept = append(to, out);
  }
  if (!kept) return fail(kept.error());
  if (filter != nullptr && filter->problem())
    return fail(bad_data(filter->problem()->reply_text()));
  return finished(to);
}

Result<std::string, ToolError> header_of(const Octets& octets) {
  auto header = octets.header();
  if (!header) return fail(tool_error(header.error()));
  return std::move(*header);
}

}  // namespace

Result<Composed, ToolError> compose_whole(const Account& account, const ComposeFlags& flags,
                                          const OctetSource& source) {
  if (const auto option = changing_option(flags); !option.empty())
    return fail(usage(fmt::format("{} changes nothing in a whole message", option),
                      "it goes as it stands; with --to or --subject standard input is the text"));
  const auto taken = taken_in(source);
  if (!taken) return fail(taken.error());
  const auto head = header_of(*taken);
  if (!head) return fail(head.error());
  const message::Header header = message::Header::parse(*head);
  message::Draft draft;
  const auto add = [&](const char* name, std::vector<Address>& into) {
    for (const message::Field* field : header.find_all(name)) {
      for (Address& each : message::read_address_list(header.raw_value(*field)).mailboxes)
        into.push_back(std::move(each));
    }
  };
  add("From", draft.from);
  add("To", draft.to.mailboxes);
  add("Cc", draft.cc.mailboxes);
  add("Bcc", draft.bcc);
  if (auto done = apply_addresses(account, flags, draft); !done) return fail(done.error());
  std::string from;
  if (header.find("From") == nullptr)
    from = "From: " + message::format_address(draft.from.front()) + "\r\n";
  Composed composed;
  if (flags.draft) {
    auto as_it_is = passed_on(from, *taken, nullptr);
    if (!as_it_is) return fail(as_it_is.error());
    composed.for_draft = std::move(*as_it_is);
  }
  const std::string id =
      message::make_message_id(wall_now(), random_u64(), host_of(draft.from.front()));
  message::SubmissionFilter filter({now_text(), id});
  auto fit = passed_on(from, *taken, &filter);
  if (!fit) return fail(fit.error());
  composed.letter.message = std::move(*fit);
  composed.letter.from = draft.from.front().addr_spec();
  composed.letter.recipients = recipients_of(draft);
  composed.letter.notify = flags.notify;
  composed.letter.ret = flags.ret;
  if (composed.letter.recipients.empty() && !flags.draft)
    return fail(usage("the message goes to nobody", "a To field, or --to ADDRESS"));
  const auto sent_head = header_of(composed.letter.message);
  if (!sent_head) return fail(sent_head.error());
  const message::Header sent = message::Header::parse(*sent_head);
  if (const auto* field = sent.find("Message-ID")) composed.letter.message_id = sent.value(*field);
  if (const auto* field = sent.find("Subject")) composed.subject = sent.value(*field);
  return composed;
}

OctetSource standard_input() {
  return []() -> Result<std::string, ToolError> {
    std::string text(Octets::piece, '\0');
    ssize_t count = -1;
    do {
      count = ::read(STDIN_FILENO, text.data(), text.size());
    } while (count < 0 && errno == EINTR);
    if (count < 0) return fail(bad_data(io_error("read", "standard input").text()));
    text.resize(static_cast<std::size_t>(count));
    return text;
  };
}

OctetSource source_of(Octets octets) {
  return [octets = std::move(octets),
          at = std::uint64_t{0}]() mutable -> Result<std::string, ToolError> {
    auto text = octets.read(at);
    if (!text) return fail(tool_error(text.error()));
    at += text->size();
    return std::move(*text);
  };
}

Result<std::string, ToolError> read_standard_input() {
  const OctetSource source = standard_input();
  std::string text;
  for (;;) {
    const auto piece = source();
    if (!piece) return fail(piece.error());
    if (piece->empty()) return text;
    text += *piece;
    if (text.size() > most_text) return fail(bad_data("standard input is larger than 100 MiB"));
  }
}

Result<BodyText, ToolError> find_body(const ComposeFlags& flags) {
  BodyText body;
  body.wants_editor = flags.edit;
  if (!flags.body.empty() && flags.body != "-") {
    body.text = flags.body;
    return body;
  }
  const bool terminal = ::isatty(STDIN_FILENO) == 1;
  if (flags.body.empty() && (terminal || !flags.html.empty())) {
    body.wants_editor = flags.edit || (terminal && flags.html.empty());
    return body;
  }
  auto text = read_standard_input();
  if (!text) return fail(text.error());
  body.text = std::move(*text);
  return body;
}

std::string type_of_file(std::string_view name) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 28> types{{
      {"7z", "application/x-7z-compressed"},
      {"csv", "text/csv"},
      {"css", "text/css"},
      {"doc", "application/msword"},
      {"eml", "message/rfc822"},
      {"gif", "image/gif"},
      {"docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"},
      {"gz", "application/gzip"},
      {"htm", "text/html"},
      {"html", "text/html"},
      {"ics", "text/calendar"},
      {"jpeg", "image/jpeg"},
      {"jpg", "image/jpeg"},
      {"json", "application/json"},
      {"md", "text/markdown"},
      {"mp3", "audio/mpeg"},
      {"mp4", "video/mp4"},
      {"odt", "application/vnd.oasis.opendocument.text"},
      {"pdf", "application/pdf"},
      {"patch", "text/x-diff"},
      {"png", "image/png"},
      {"svg", "image/svg+xml"},
      {"txt", "text/plain"},
      {"vcf", "text/vcard"},
      {"webp", "image/webp"},
      {"xml", "application/xml"},
      {"xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"},
      {"zip", "application/zip"},
  }};
  const std::string extension = lower(name.substr(std::min(name.rfind('.'), name.size() - 1) + 1));
  for (const auto& [known, type] : types) {
    // A message as an attachment keeps its octets: it is no part of ours.
    if (known == extension && type != "message/rfc822") return std::string(type);
  }
  return "application/octet-stream";
}

}  // namespace posthorn::mua
