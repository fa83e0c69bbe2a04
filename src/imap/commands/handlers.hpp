// The handlers; each stands in a file of its name.
#pragma once
#include "imap/commands/table.hpp"

namespace mansio::imap::commands {

task<result<reply>> append(invocation& c);
task<result<reply>> authenticate(invocation& c);
task<result<reply>> cancel_update(invocation& c);
task<result<reply>> capability(invocation& c);
task<result<reply>> check(invocation& c);
task<result<reply>> close(invocation& c);
task<result<reply>> compress(invocation& c);
task<result<reply>> copy(invocation& c);
task<result<reply>> create(invocation& c);
task<result<reply>> delete_mailbox(invocation& c);
task<result<reply>> deleteacl(invocation& c);
task<result<reply>> enable(invocation& c);
task<result<reply>> esearch(invocation& c);
task<result<reply>> examine(invocation& c);
task<result<reply>> expunge(invocation& c);
task<result<reply>> fetch(invocation& c);
task<result<reply>> getacl(invocation& c);
task<result<reply>> getquota(invocation& c);
task<result<reply>> getquotaroot(invocation& c);
task<result<reply>> id(invocation& c);
task<result<reply>> idle(invocation& c);
task<result<reply>> list(invocation& c);
task<result<reply>> listrights(invocation& c);
task<result<reply>> login(invocation& c);
task<result<reply>> logout(invocation& c);
task<result<reply>> lsub(invocation& c);
task<result<reply>> move(invocation& c);
task<result<reply>> myrights(invocation& c);
task<result<reply>> name_space(invocation& c);
task<result<reply>> noop(invocation& c);
task<result<reply>> notify(invocation& c);
task<result<reply>> rename(invocation& c);
task<result<reply>> replace(invocation& c);
task<result<reply>> search(invocation& c);
task<result<reply>> select(invocation& c);
task<result<reply>> setacl(invocation& c);
task<result<reply>> setquota(invocation& c);
task<result<reply>> sort(invocation& c);
task<result<reply>> starttls(invocation& c);
task<result<reply>> status(invocation& c);
task<result<reply>> store(invocation& c);
task<result<reply>> subscribe(invocation& c);
task<result<reply>> thread(invocation& c);
task<result<reply>> uid_expunge(invocation& c);
task<result<reply>> unauthenticate(invocation& c);
task<result<reply>> unselect(invocation& c);
task<result<reply>> unsubscribe(invocation& c);

}  // namespace mansio::imap::commands
