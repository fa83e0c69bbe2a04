// Everyday awaited expressions that a compiler must get right before it may build this tree: each object is constructed once,
// destroyed once, stays where it was born, and the values arrive. g++ 12 fails 18 of these 38 (docs/decisions/0001-clang-only.md).
#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <new>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <utility>
#include <variant>
#include <vector>

#include "base/executor.hpp"

using namespace mansio::base;

namespace {
/// Counts what is born and what dies, and knows its own address: a bitwise copy into the frame shows when it dies.
struct counted {
    static inline int born = 0;
    static inline int died = 0;
    static inline int moved_by_memcpy = 0;
    static void reset() { born = died = moved_by_memcpy = 0; }

    std::string text;
    counted const* self = this;
    counted() { ++born; }
    counted(std::string t) : text(std::move(t)) { ++born; }
    counted(char const* t) : text(t) { ++born; }
    counted(counted const& o) : text(o.text) { ++born; }
    counted(counted&& o) noexcept : text(std::move(o.text)) { ++born; }
    counted& operator=(counted const& o)
    {
        text = o.text;
        return *this;
    }
    counted& operator=(counted&& o) noexcept
    {
        text = std::move(o.text);
        return *this;
    }
    ~counted()
    {
        ++died;
        if (self != this) ++moved_by_memcpy;
    }
};

struct pair_of {  // an aggregate
    counted first;
    counted second;
};
struct nested {
    pair_of pair;
    std::vector<counted> list;
    std::optional<counted> maybe;
};
struct with_default {
    counted a = "a by default";
    counted b = "b by default";
};

// What is awaited. All suspend once, so that temporaries must live in the frame.
task<std::string> text_of(counted c)
{
    co_await yield_now{};
    co_return c.text;
}
task<std::string> text_of_reference(counted const& c)
{
    co_await yield_now{};
    co_return c.text;
}
task<std::string> text_of_pair(pair_of p)
{
    co_await yield_now{};
    co_return p.first.text + "+" + p.second.text;
}
task<std::string> text_of_pair_reference(pair_of const& p)
{
    co_await yield_now{};
    co_return p.first.text + "+" + p.second.text;
}
task<std::string> text_of_nested(nested n)
{
    co_await yield_now{};
    std::string out = n.pair.first.text + "+" + n.pair.second.text;
    for (auto const& c : n.list) out += "+" + c.text;
    if (n.maybe) out += "+" + n.maybe->text;
    co_return out;
}
task<std::string> joined(std::vector<counted> list)
{
    co_await yield_now{};
    std::string out;
    for (auto const& c : list) out += c.text + ",";
    co_return out;
}
task<std::string> joined_of(std::initializer_list<counted> list)
{
    co_await yield_now{};
    std::string out;
    for (auto const& c : list) out += c.text + ",";
    co_return out;
}
task<std::string> with_default_argument(counted a, counted b = "a default that is longer than any small buffer", with_default const& d = {})
{
    co_await yield_now{};
    co_return a.text + "|" + b.text + "|" + d.a.text;
}
task<counted> make(std::string text)
{
    co_await yield_now{};
    co_return counted{std::move(text)};
}
task<pair_of> make_pair_of(std::string a, std::string b)
{
    co_await yield_now{};
    co_return pair_of{std::move(a), std::move(b)};
}
task<std::tuple<counted, counted>> make_tuple_of(std::string a, std::string b)
{
    co_await yield_now{};
    co_return std::tuple<counted, counted>{std::move(a), std::move(b)};
}
task<std::unique_ptr<counted>> make_unique_of(std::string text)
{
    co_await yield_now{};
    co_return std::make_unique<counted>(std::move(text));
}
task<std::optional<counted>> maybe(bool yes)
{
    co_await yield_now{};
    if (yes) co_return counted{"present"};
    co_return std::nullopt;
}
task<bool> truth(bool b)
{
    co_await yield_now{};
    co_return b;
}
task<std::string> call(std::function<std::string()> f)
{
    co_await yield_now{};
    co_return f();
}
template <class F> task<std::string> call_any(F f)
{
    co_await yield_now{};
    co_return f();
}
template <class F> task<std::string> call_reference(F const& f)
{
    co_await yield_now{};
    co_return f();
}
task<std::string> throws_after(counted c)
{
    co_await yield_now{};
    throw std::runtime_error(c.text);
}
task<result<counted>> perhaps(bool good)
{
    co_await yield_now{};
    if (!good) co_return fail(fault::kind::refused, "said no", "a detail that does not fit a small buffer");
    co_return counted{"good"};
}

/// An awaitable that is itself a temporary with a destructor, held by value and by what its operator gives.
struct waiting_object {
    counted inside;
    explicit waiting_object(counted c) : inside(std::move(c)) {}
    bool await_ready() const noexcept { return false; }
    void await_suspend(std::coroutine_handle<> h) const
    {
        executor::current().post([h] { h.resume(); });
    }
    std::string await_resume() const { return inside.text; }
};
struct converts {
    counted inside;
    waiting_object operator co_await() const { return waiting_object{inside}; }
};
/// A guard as sources write them: acts when it dies.
struct guard {
    int& deaths;
    explicit guard(int& d) : deaths(d) {}
    guard(guard const&) = delete;
    guard& operator=(guard const&) = delete;
    ~guard() { ++deaths; }
};

std::string const long_text = "a text that is longer than any small buffer of a string";

/// Runs one case to its end and weighs what it left.
std::string run_case(task<std::string> (*begin)())
{
    manual_clock clock;
    manual_executor loop{clock};
    counted::reset();
    std::string out;
    {
        out = loop.run(begin());
    }
    EXPECT_EQ(counted::born, counted::died) << "constructed against destroyed";
    EXPECT_EQ(counted::moved_by_memcpy, 0) << "moved without its constructor";
    return out;
}

struct one_case {
    char const* name;
    task<std::string> (*begin)();
    std::string want;
};

// 1–8: arguments.
task<std::string> by_value_from_text() { co_return co_await text_of("short"); }
task<std::string> by_value_in_braces() { co_return co_await text_of(counted{long_text}); }
task<std::string> by_reference_to_temporary() { co_return co_await text_of_reference(counted{long_text}); }
task<std::string> by_reference_to_converted() { co_return co_await text_of_reference("converted"); }
task<std::string> by_move_from_local()
{
    counted local{long_text};
    co_return co_await text_of(std::move(local));
}
task<std::string> by_copy_of_local()
{
    counted const local{"kept"};
    auto const out = co_await text_of(local);
    co_return out + local.text;
}
task<std::string> by_default_argument() { co_return co_await with_default_argument("given"); }
task<std::string> concatenated_argument()
{
    std::string const name = "alice";
    co_return co_await text_of(counted{name + "@" + "example.test, and more so that it is long"});
}

// 9–15: aggregates in braces.
task<std::string> aggregate_by_value() { co_return co_await text_of_pair({"left", "right"}); }
task<std::string> aggregate_named_by_value() { co_return co_await text_of_pair(pair_of{"left", long_text}); }
task<std::string> aggregate_by_reference() { co_return co_await text_of_pair_reference({"left", "right"}); }
task<std::string> aggregate_with_designators() { co_return co_await text_of_pair({.first = "left", .second = counted{"right"}}); }
task<std::string> aggregate_in_aggregate() { co_return co_await text_of_nested({{"a", "b"}, {"c", "d"}, "e"}); }
task<std::string> aggregate_from_awaited_member() { co_return co_await text_of_pair({co_await make("first"), co_await make("second")}); }
task<std::string> aggregate_returned()
{
    auto const p = co_await make_pair_of("x", long_text);
    co_return p.first.text + p.second.text;
}

// 16–19: lists.
task<std::string> vector_in_braces() { co_return co_await joined({"one", "two", "three"}); }
task<std::string> list_in_braces() { co_return co_await joined_of({"one", counted{long_text}, "three"}); }
task<std::string> vector_of_awaited()
{
    std::vector<counted> list;
    list.push_back(co_await make("one"));
    list.emplace_back(co_await make("two"));
    co_return co_await joined(std::move(list));
}
task<std::string> map_subscript_awaited()
{
    std::map<std::string, counted> m;
    m["key"] = co_await make("value");
    m[(co_await make("other")).text] = counted{"more"};
    co_return m.at("key").text + m.at("other").text;
}

// 20–24: conditional expressions.
task<std::string> conditional_argument()
{
    bool const yes = co_await truth(true);
    co_return co_await text_of(yes ? counted{"yes"} : counted{"no"});
}
task<std::string> conditional_of_awaits()
{
    auto const c = co_await truth(false) ? co_await make("yes") : co_await make(long_text);
    co_return c.text;
}
task<std::string> conditional_condition_awaited() { co_return co_await text_of(co_await truth(true) ? counted{long_text} : counted{"no"}); }
task<std::string> logical_and_of_awaits()
{
    if (co_await truth(true) && (co_await make("x")).text == "x" && !co_await truth(false)) co_return "all";
    co_return "not all";
}
task<std::string> short_circuit_makes_nothing()
{
    bool const either = co_await truth(true) || (co_await make("never made")).text.empty();
    co_return either&& counted::born == 0 ? "nothing made" : "made";
}

// 25–29: lambdas.
task<std::string> capturing_lambda_argument()
{
    counted const inside{long_text};
    co_return co_await call([inside] { return inside.text; });
}
task<std::string> capturing_lambda_by_value()
{
    counted inside{"moved in"};
    co_return co_await call_any([held = std::move(inside)] { return held.text; });
}
task<std::string> capturing_lambda_by_reference_parameter()
{
    counted const inside{long_text};
    co_return co_await call_reference([inside, other = counted{"!"}] { return inside.text + other.text; });
}
task<std::string> lambda_coroutine_with_parameters()
{
    auto const work = [](counted a, counted b) -> task<std::string> {
        co_await yield_now{};
        co_return a.text + b.text;
    };
    co_return co_await work("left ", counted{"right"});
}
task<std::string> lambda_called_in_place()
{
    co_return co_await text_of([] { return counted{long_text}; }());
}

// 30–34: what is awaited is itself an object; nested awaits; operands.
task<std::string> temporary_awaitable() { co_return co_await waiting_object{counted{long_text}}; }
task<std::string> awaitable_by_operator() { co_return co_await converts{"converted"}; }
task<std::string> nested_awaits_in_arguments() { co_return co_await with_default_argument(co_await make("one"), co_await make(co_await text_of("two"))); }
task<std::string> awaited_operands() { co_return co_await text_of("a") + "-" + co_await text_of("b") + "-" + (co_await make("c")).text; }
task<std::string> member_of_awaited_pointer() { co_return (co_await make_unique_of(long_text))->text; }

// 35–38: results taken apart, loops, scopes, errors.
task<std::string> structured_binding_of_named_value()
{
    auto const both = co_await make_tuple_of("left", "right");
    auto const& [a, b] = both;
    auto const one = co_await maybe(true);
    auto const none = co_await maybe(false);
    co_return a.text + b.text + (one ? one->text : "") + (none ? "wrong" : "");
}
task<std::string> condition_of_loop_and_if()
{
    std::string out;
    int turns = 0;
    while (co_await truth(turns < 3)) {
        counted const inside{"turn"};
        out += co_await text_of(inside);
        ++turns;
    }
    if (auto const c = co_await make("if"); c.text == "if") out += co_await text_of(c);
    co_return out;
}
task<std::string> guard_lives_to_the_end_of_its_scope()
{
    int deaths = 0;
    std::string out;
    {
        guard const g{deaths};
        out = co_await text_of("inside");
        out += deaths == 0 ? " alive" : " dead";
    }
    out += deaths == 1 ? " then dead" : " then wrong";
    co_return out;
}
task<std::string> errors_pass_through()
{
    std::string out;
    try {
        out = co_await throws_after(counted{"thrown"});
    } catch (std::runtime_error const& e) {
        out = e.what();
    }
    auto const bad = co_await perhaps(false);
    auto const good = co_await perhaps(true);
    co_return out + " " + bad.error().say + " " + good->text;
}

one_case const cases[] = {
    {"by_value_from_text", by_value_from_text, "short"},
    {"by_value_in_braces", by_value_in_braces, long_text},
    {"by_reference_to_temporary", by_reference_to_temporary, long_text},
    {"by_reference_to_converted", by_reference_to_converted, "converted"},
    {"by_move_from_local", by_move_from_local, long_text},
    {"by_copy_of_local", by_copy_of_local, "keptkept"},
    {"by_default_argument", by_default_argument, "given|a default that is longer than any small buffer|a by default"},
    {"concatenated_argument", concatenated_argument, "alice@example.test, and more so that it is long"},
    {"aggregate_by_value", aggregate_by_value, "left+right"},
    {"aggregate_named_by_value", aggregate_named_by_value, "left+" + long_text},
    {"aggregate_by_reference", aggregate_by_reference, "left+right"},
    {"aggregate_with_designators", aggregate_with_designators, "left+right"},
    {"aggregate_in_aggregate", aggregate_in_aggregate, "a+b+c+d+e"},
    {"aggregate_from_awaited_member", aggregate_from_awaited_member, "first+second"},
    {"aggregate_returned", aggregate_returned, "x" + long_text},
    {"vector_in_braces", vector_in_braces, "one,two,three,"},
    {"list_in_braces", list_in_braces, "one," + long_text + ",three,"},
    {"vector_of_awaited", vector_of_awaited, "one,two,"},
    {"map_subscript_awaited", map_subscript_awaited, "valuemore"},
    {"conditional_argument", conditional_argument, "yes"},
    {"conditional_of_awaits", conditional_of_awaits, long_text},
    {"conditional_condition_awaited", conditional_condition_awaited, long_text},
    {"logical_and_of_awaits", logical_and_of_awaits, "all"},
    {"short_circuit_makes_nothing", short_circuit_makes_nothing, "nothing made"},
    {"capturing_lambda_argument", capturing_lambda_argument, long_text},
    {"capturing_lambda_by_value", capturing_lambda_by_value, "moved in"},
    {"capturing_lambda_by_reference_parameter", capturing_lambda_by_reference_parameter, long_text + "!"},
    {"lambda_coroutine_with_parameters", lambda_coroutine_with_parameters, "left right"},
    {"lambda_called_in_place", lambda_called_in_place, long_text},
    {"temporary_awaitable", temporary_awaitable, long_text},
    {"awaitable_by_operator", awaitable_by_operator, "converted"},
    {"nested_awaits_in_arguments", nested_awaits_in_arguments, "one|two|a by default"},
    {"awaited_operands", awaited_operands, "a-b-c"},
    {"member_of_awaited_pointer", member_of_awaited_pointer, long_text},
    {"structured_binding_of_named_value", structured_binding_of_named_value, "leftrightpresent"},
    {"condition_of_loop_and_if", condition_of_loop_and_if, "turnturnturnif"},
    {"guard_lives_to_the_end_of_its_scope", guard_lives_to_the_end_of_its_scope, "inside alive then dead"},
    {"errors_pass_through", errors_pass_through, "thrown said no good"},
};
static_assert(std::size(cases) == 38);
}  // namespace

TEST(coroutine_cases, every_everyday_expression_keeps_its_objects)
{
    for (auto const& c : cases) {
        SCOPED_TRACE(c.name);
        EXPECT_EQ(run_case(c.begin), c.want);
    }
}

TEST(coroutine_cases, an_unstarted_task_destroys_its_arguments)
{
    counted::reset();
    {
        auto const never = text_of(counted{long_text});
        EXPECT_TRUE(never.valid());
    }
    EXPECT_EQ(counted::born, counted::died);
}

TEST(coroutine_cases, the_count_notices_a_copy_without_a_constructor)
{
    // The measuring rod itself: what the broken compilers do must show.
    counted::reset();
    alignas(counted) std::array<unsigned char, sizeof(counted)> place{};
    auto* original = new counted{"x"};
    std::memcpy(place.data(), static_cast<void*>(original), sizeof(counted));
    auto* copy = std::launder(reinterpret_cast<counted*>(place.data()));
    EXPECT_NE(copy->self, copy);
    delete original;
    EXPECT_EQ(counted::moved_by_memcpy, 0);
}
