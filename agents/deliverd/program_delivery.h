// Delivery to a program: --exec, by the rules of Postfix's pipe(8). No shell has a part in it.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "agents/deliverd/delivery.h"
#include "agents/deliverd/pipe_command.h"
#include "libmail/async/event.h"
#include "libmail/async/starter.h"
#include "libmail/base/fd.h"

namespace posthorn::deliverd {

class ProgramDelivery final : public Delivery {
 public:
  // `starter`, which outlives it, starts the programs, at most `concurrency` at once. `spool` is where large
  // messages wait for theirs.
  ProgramDelivery(async::Starter& starter, std::size_t concurrency, std::string spool);

  void set_rules(PipeRules rules) { rules_ = std::make_shared<const PipeRules>(std::move(rules)); }

  // Everybody exists; the program will say.
  async::Task<Result<Target, smtp::Reply>> find(smtp::Mailbox mailbox) override;
  // One run for all recipients, or, with flag D or O, whose fields are a recipient's own, one for each.
  async::Task<std::vector<Outcome>> deliver(const Letter& letter,
                                            const std::vector<Target>& targets) override;

 private:
  using Rules = std::shared_ptr<const PipeRules>;
  async::Task<void> run_for(const Letter& letter, std::vector<std::size_t> recipients,
                            std::vector<Outcome>* outcomes);
  async::Task<Outcome> run(const Letter& letter, const std::vector<std::size_t>& recipients,
                           Rules rules);
  Result<Fd, IoError> write_input(const PipeRules& rules, const Letter& letter,
                                  const smtp::Recipient* single) const;

  async::Starter& starter_;
  Rules rules_;
  async::Semaphore places_;
  std::string spool_;
  std::map<std::string, std::string> environment_;  // what does not depend on the message
};

}  // namespace posthorn::deliverd
