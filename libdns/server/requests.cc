#include "libdns/server/requests.h"

#include "libdns/resolver/wall_clock.h"
#include "libdns/wire/builder.h"
#include "libdns/zone/transfer.h"

namespace posthorn::dns {

using async::Task;

namespace {

// Header and question of the message, as an answer with this rcode.
std::string answer_to(std::string_view message, Rcode rcode, bool authoritative = false) {
  const auto view = MessageView::parse(message);
  if (!view) return {};
  Header header = view->header();
  header.response = true;
  header.authoritative = authoritative;
  header.truncated = header.recursion_available = header.authentic_data = false;
  header.rcode = rcode;
  MessageBuilder builder(header);
  for (const QuestionView& question : view->questions()) {
    const bool fits = builder.question(question.question());
    check(fits, "a question fits into a message");
  }
  return builder.finish();
}

// The serial that an IXFR says it has (RFC 1995 3), or that a NOTIFY tells (RFC 1996 3.7).
std::optional<std::uint32_t> serial_in(std::span<const RecordView> section) {
  for (const RecordView& record : section) {
    if (record.type != Type::soa) continue;
    const Rdata data = record.data();
    if (const auto* soa = std::get_if<Soa>(&data)) return soa->serial;
  }
  return std::nullopt;
}

}  // namespace

// Signs what goes out, if the request was signed.
class Requests::Signed final : public Sink {
 public:
  Signed(TsigRequest request, Sink& sink) : signer_(std::move(request)), sink_(sink) {}
  Task<bool> send(std::string message) override {
    signer_.sign(message, wall_seconds());
    const bool sent = co_await sink_.send(std::move(message));
    co_return sent;
  }

 private:
  TsigSigner signer_;
  Sink& sink_;
};

Requests::Requests(const Zones& zones, Responder& responder, ZoneKeeper& keeper)
    : zones_(zones), responder_(responder), keeper_(keeper) {}

Task<void> Requests::handle(std::string packet, Client client, Sink& sink) {
  TsigRequest request = verify_request(packet, keys_, wall_seconds());
  std::string message = without_tsig(packet);
  Asker asker{client, std::nullopt};
  if (request.state == TsigRequest::State::good) asker.key = request.key->name;
  const bool is_refused = request.state == TsigRequest::State::refused;
  const bool is_malformed = request.state == TsigRequest::State::malformed;
  Signed answers(std::move(request), sink);
  if (is_refused || is_malformed) {
    std::string answer = answer_to(message, is_refused ? Rcode::notauth : Rcode::formerr);
    const bool sent = co_await answers.send(std::move(answer));
    (void)sent;
    co_return;
  }
  co_await dispatch(std::move(message), std::move(asker), answers);
}

Task<void> Requests::dispatch(std::string message, Asker asker, Signed& answers) {
  const auto view = MessageView::parse(message);
  if (!view || view->questions().size() != 1) co_return;  // the responder has looked before
  const Type type = view->questions()[0].type;
  const Opcode opcode = view->header().opcode;
  if (opcode == Opcode::update) {
    co_await update(std::move(message), std::move(asker), answers);
  } else if (opcode == Opcode::notify) {
    co_await notify(std::move(message), std::move(asker), answers);
  } else if (type == Type::axfr || type == Type::ixfr) {
    co_await transfer(std::move(message), std::move(asker), answers);
  } else {
    co_await plain(std::move(message), std::move(asker), answers);
  }
}

Task<void> Requests::transfer(std::string message, Asker asker, Signed& answers) {
  const auto view = MessageView::parse(message);
  const Question question = view->questions()[0].question();
  const auto serial = serial_in(view->authority());
  const std::uint16_t id = view->header().id;
  const bool is_udp = asker.client.transport == Client::Transport::udp;
  const auto zone = zones_.at(question.name);
  Rcode rcode = Rcode::noerror;
  if (!keeper_.may_transfer(question.name, asker)) {
    rcode = Rcode::refused;
  } else if (zone == nullptr) {
    rcode = zones_.has(question.name) ? Rcode::servfail : Rcode::notauth;
  } else if ((question.type == Type::axfr && is_udp) || (question.type == Type::ixfr && !serial)) {
    rcode = Rcode::formerr;
  }
  if (rcode != Rcode::noerror) {
    std::string answer = answer_to(message, rcode);
    const bool sent = co_await answers.send(std::move(answer));
    (void)sent;
    co_return;
  }
  // An IXFR by UDP gets the SOA: whoever is behind asks by TCP (RFC 1995 2).
  TransferWriter writer =
      question.type == Type::axfr ? TransferWriter::axfr(zone, id, question)
      : is_udp                    ? TransferWriter::soa_only(zone, id, question)
               : TransferWriter::ixfr(zone, keeper_.history(question.name), *serial, id, question);
  while (auto next = writer.next()) {
    const bool goes_on = co_await answers.send(std::move(*next));
    if (!goes_on) co_return;
  }
}

Task<void> Requests::update(std::string message, Asker asker, Signed& answers) {
  std::string request = message;
  const auto done = co_await keeper_.update(std::move(request), std::move(asker));
  std::string answer = answer_to(message, done ? Rcode::noerror : done.error().rcode);
  const bool sent = co_await answers.send(std::move(answer));
  (void)sent;
}

Task<void> Requests::notify(std::string message, Asker asker, Signed& answers) {
  const auto view = MessageView::parse(message);
  const Question question = view->questions()[0].question();
  const Rcode rcode = question.type == Type::soa
                          ? keeper_.notified(question.name, serial_in(view->answer()), asker)
                          : Rcode::notimp;
  std::string answer = answer_to(message, rcode, rcode == Rcode::noerror);
  const bool sent = co_await answers.send(std::move(answer));
  (void)sent;
}

// A question like others, but signed.
Task<void> Requests::plain(std::string message, Asker asker, Signed& answers) {
  std::string answer;
  switch (responder_.answer(message, asker.client, answer)) {
    case Responder::Outcome::answered: {
      const bool sent = co_await answers.send(std::move(answer));
      (void)sent;
      co_return;
    }
    case Responder::Outcome::later:
      co_await responder_.answer_later(std::move(message), asker.client, answers);
      co_return;
    case Responder::Outcome::nothing:
      co_return;
  }
}

}  // namespace posthorn::dns
