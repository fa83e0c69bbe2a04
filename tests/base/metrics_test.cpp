#include "base/metrics.hpp"

#include <gtest/gtest.h>

#include <array>
#include <thread>

using namespace mansio::base;

TEST(metrics, exposition_is_prometheus_text)
{
    metrics m;
    m.get_counter("mansio_b_total", "what b counts", "verb=\"EHLO\"").add();
    m.get_counter("mansio_b_total", "what b counts", "verb=\"MAIL\"").add(41);
    m.get_gauge("mansio_a", "what a is").set(-3);
    std::array const bounds{0.5, 1.0};
    auto& h = m.get_histogram("mansio_c_seconds", "how long c took", bounds);
    for (double const v : {0.25, 0.5, 0.75, 2.0}) h.observe(v);
    m.observe("mansio_d", "asked when read", [] { return 1.5; });
    EXPECT_EQ(m.exposition(), "# HELP mansio_a what a is\n# TYPE mansio_a gauge\nmansio_a -3\n"
                              "# HELP mansio_b_total what b counts\n# TYPE mansio_b_total counter\n"
                              "mansio_b_total{verb=\"EHLO\"} 1\nmansio_b_total{verb=\"MAIL\"} 41\n"
                              "# HELP mansio_c_seconds how long c took\n# TYPE mansio_c_seconds histogram\n"
                              "mansio_c_seconds_bucket{le=\"0.5\"} 2\nmansio_c_seconds_bucket{le=\"1\"} 3\nmansio_c_seconds_bucket{le=\"+Inf\"} 4\n"
                              "mansio_c_seconds_sum 3.5\nmansio_c_seconds_count 4\n"
                              "# HELP mansio_d asked when read\n# TYPE mansio_d gauge\nmansio_d 1.5\n");
}

TEST(metrics, a_histogram_with_labels_puts_le_last)
{
    metrics m;
    std::array const bounds{1.0};
    m.get_histogram("h", "help", bounds, "face=\"imap\"").observe(3);
    auto const text = m.exposition();
    EXPECT_NE(text.find("h_bucket{face=\"imap\",le=\"1\"} 0\nh_bucket{face=\"imap\",le=\"+Inf\"} 1\n"), std::string::npos) << text;
    EXPECT_NE(text.find("h_sum{face=\"imap\"} 3\nh_count{face=\"imap\"} 1\n"), std::string::npos) << text;
}

TEST(metrics, one_name_is_one_object)
{
    metrics m;
    auto& a = m.get_counter("n", "help");
    auto& b = m.get_counter("n", "help");
    auto& other = m.get_counter("n", "help", "x=\"1\"");
    EXPECT_EQ(&a, &b);
    EXPECT_NE(&a, &other);
    auto& g = m.get_gauge("g", "help");
    g.add(5);
    g.add(-7);
    EXPECT_EQ(m.get_gauge("g", "help").value(), -2);
}

TEST(metrics, threads_lose_no_count)
{
    metrics m;
    auto& c = m.get_counter("n", "help");
    auto& h = m.get_histogram("h", "help");
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t)
        threads.emplace_back([&] {
            for (int i = 0; i < 5000; ++i) {
                c.add();
                h.observe(0.001);
                if (i % 1000 == 0) static_cast<void>(m.get_gauge("g", "help", "n=\"" + std::to_string(i) + "\""));
            }
        });
    while (c.value() < 100) static_cast<void>(m.exposition());
    threads.clear();
    EXPECT_EQ(c.value(), 20'000U);
    EXPECT_NE(m.exposition().find("h_count 20000\n"), std::string::npos);
}
