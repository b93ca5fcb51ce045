// mua send: flags, an editor, or a whole message on standard input.
#include <unistd.h>

#include "agents/mua/sending.h"
#include "agents/mua/verbs.h"

namespace posthorn::mua {

namespace {

class Send final : public Tool {
 public:
  [[nodiscard]] std::string_view name() const override { return "send"; }
  [[nodiscard]] std::string_view words() const override { return "[ADDRESS...]"; }
  [[nodiscard]] std::string_view purpose() const override {
    return "send a message: from flags, an editor, or whole from standard input";
  }
  void describe(OptionTable& table) override {
    common_.describe(table);
    flags_.describe(table);
  }
  Result<int, ToolError> run(const ToolCall& call) override {
    flags_.to.insert(flags_.to.end(), call.words.begin(), call.words.end());
    const auto account = common_.one();
    if (!account) return fail(account.error());
    const auto file = read_accounts(accounts_file(common_.config));
    auto composed = make(*account);
    if (!composed) return fail(with_typed(composed.error(), typed_));
    return with_typed(finish(*account, file ? file->outbox : "", std::move(*composed), flags_,
                             common_.timeout, call.json),
                      typed_);
  }

 private:
  Result<Composed, ToolError> make(const Account& account) {
    if (!flags_.any() && ::isatty(STDIN_FILENO) == 0) {
      return compose_whole(account, flags_, standard_input());
    }
    auto body = find_body(flags_);
    if (!body) return fail(body.error());
    message::Draft draft;
    ComposeFlags flags = flags_;
    if (body->wants_editor) {
      if (auto done = edit_first(account, draft, flags, body->text); !done)
        return fail(done.error());
    }
    return compose(account, std::move(draft), flags, std::move(body->text));
  }
  // What the flags say stands in the editor already, and what comes back counts instead.
  Result<void, ToolError> edit_first(const Account& account, message::Draft& draft,
                                     ComposeFlags& flags, std::string& text) {
    if (auto done = apply_addresses(account, flags, draft); !done) return done;
    if (!account.signature.empty()) text += "\n\n-- \n" + account.signature + "\n";
    auto typed = edit(draft, text);
    if (!typed) return fail(typed.error());
    typed_ = std::move(*typed);
    flags.forget_header();
    return {};
  }

  Common common_;
  ComposeFlags flags_;
  std::string typed_;  // the editor's file
};

}  // namespace

std::unique_ptr<Tool> make_send() {
  return std::make_unique<Send>();
}

}  // namespace posthorn::mua
