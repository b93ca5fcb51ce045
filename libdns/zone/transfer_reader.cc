#include <fmt/format.h>

#include "libdns/zone/serial.h"
#include "libdns/zone/transfer.h"

namespace posthorn::dns {

namespace {

auto refuse(std::string why) {
  return fail(TransferFault(Rcode::noerror, std::move(why)));
}

std::uint32_t serial_of(const Record& soa) {
  return soa.as<Soa>()->serial;
}

}  // namespace

TransferReader::TransferReader(const Question& question, std::uint16_t id,
                               std::shared_ptr<const Zone> previous, TransferLimits limits)
    : question_(question), id_(id), previous_(std::move(previous)), limits_(limits) {}

Result<TransferReader::State, TransferFault> TransferReader::take(std::string_view message) {
  octets_ += message.size();
  if (octets_ > limits_.octets) return refuse(fmt::format("over {} octets", limits_.octets));
  const auto view = MessageView::parse(message);
  if (!view) return refuse("malformed message: " + view.error().text());
  const auto header = check_header(*view);
  if (!header) return fail(header.error());
  first_message_ = false;
  for (const RecordView& record : view->answer()) {
    if (phase_ == Phase::done && !version_.zone && previous_) return State::complete;
    if (++records_ > limits_.records) {
      return refuse(fmt::format("over {} records", limits_.records));
    }
    const auto taken = take_record(record);
    if (!taken) return fail(taken.error());
  }
  return phase_ == Phase::done ? State::complete : State::more;
}

Result<void, TransferFault> TransferReader::check_header(const MessageView& view) {
  const Header& header = view.header();
  if (header.id != id_ || !header.response || header.opcode != Opcode::query) {
    return refuse("this is no answer to the question");
  }
  if (view.rcode() != Rcode::noerror) {
    return fail(TransferFault(view.rcode(), "the primary says " + to_string(view.rcode())));
  }
  if (header.truncated) return refuse("truncated");
  const auto questions = view.questions();
  const bool is_ours = questions.size() == 1 && questions[0].question() == question_;
  // RFC 5936 2.2.1: the first message has it, others may.
  if (!is_ours && (first_message_ || !questions.empty())) {
    return refuse("the answer is to another question");
  }
  if (view.answer().empty()) return refuse("a message without records");
  return {};
}

Result<void, TransferFault> TransferReader::take_record(const RecordView& view) {
  if (view.klass != Class::in) {
    return refuse(
        fmt::format("{}: a record of class {}", view.owner.text(), to_string(view.klass)));
  }
  const Record record = view.record();
  switch (phase_) {
    case Phase::first:
      return take_first(record);
    case Phase::second:
      return take_second(record);
    case Phase::whole:
      return take_whole(record);
    case Phase::removing:
    case Phase::adding:
      return take_change(record);
    case Phase::done:
      return refuse("records behind the last SOA");
  }
  return {};
}

Result<void, TransferFault> TransferReader::take_first(const Record& record) {
  if (record.as<Soa>() == nullptr || record.owner != question_.name) {
    return refuse("the first record isn't the zone's SOA");
  }
  soa_ = record;
  phase_ = Phase::second;
  if (previous_ && !is_newer_serial(serial_of(record), previous_->serial())) phase_ = Phase::done;
  return {};
}

// Here it shows which form an answer to IXFR has (RFC 1995 4).
Result<void, TransferFault> TransferReader::take_second(const Record& record) {
  const Soa* soa = record.as<Soa>();
  const bool is_incremental = soa != nullptr && record.owner == question_.name &&
                              question_.type == Type::ixfr && previous_ &&
                              soa->serial == previous_->serial();
  if (is_incremental) {
    editor_.emplace(previous_);
    phase_ = Phase::removing;
    return {};
  }
  editor_.emplace(question_.name);
  phase_ = Phase::whole;
  const auto first = take_whole(soa_);
  return first ? take_whole(record) : first;
}

Result<void, TransferFault> TransferReader::take_whole(const Record& record) {
  if (record.as<Soa>() != nullptr && editor_->record_count() > 0) {
    if (record.owner != soa_.owner || record.data != soa_.data) {
      return refuse("another SOA in the middle");
    }
    return finish();
  }
  const auto added = editor_->add(record);
  if (added) return {};
  return refuse(fmt::format("{} {}: {}", record.owner.text(), to_string(record.type()),
                            to_string(added.error())));
}

Result<void, TransferFault> TransferReader::take_change(const Record& record) {
  if (record.as<Soa>() != nullptr) return take_step_soa(record);
  const std::string what = fmt::format("{} {}", record.owner.text(), to_string(record.type()));
  if (phase_ == Phase::removing) {
    if (editor_->remove(record.owner, record.data)) return {};
    return refuse(what + ": removed, but not in our version");
  }
  const auto added = editor_->add(record);
  if (added) return {};
  return refuse(fmt::format("{}: {}", what, to_string(added.error())));
}

// Between what is removed and what is added stands the new SOA, between steps the old one.
Result<void, TransferFault> TransferReader::take_step_soa(const Record& record) {
  if (record.owner != question_.name) return refuse("a SOA below the top of the zone");
  const std::uint32_t serial = serial_of(record);
  if (phase_ == Phase::adding) {
    if (serial != step_to_) return refuse("the steps don't follow one another");
    if (serial == serial_of(soa_)) return finish();
    phase_ = Phase::removing;
    return {};
  }
  const RrSet* now = editor_->find(question_.name, Type::soa);
  const std::vector<Record> old = now->records();
  if (!is_newer_serial(serial, serial_of(old.front()))) {
    return refuse("a step leads back to an older serial");
  }
  editor_->remove(question_.name, old.front().data);
  const auto added = editor_->add(record);
  if (!added) return refuse(std::string(to_string(added.error())));
  step_to_ = serial;
  phase_ = Phase::adding;
  return {};
}

Result<void, TransferFault> TransferReader::finish() {
  const bool is_whole = phase_ == Phase::whole;
  auto version = editor_->commit();
  editor_.reset();
  if (!version) return refuse(std::string(to_string(version.error())));
  version_ = std::move(*version);
  if (is_whole && previous_) {
    version_.difference = difference_between(*previous_, *version_.zone);
  }
  phase_ = Phase::done;
  return {};
}

}  // namespace posthorn::dns
