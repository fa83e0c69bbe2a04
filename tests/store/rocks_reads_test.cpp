#include "store/rocks_reads.hpp"

#include <fstream>

#include <gtest/gtest.h>

#include "engine_fixture.hpp"

namespace mansio::store::test {
namespace {
using file_ptr = std::unique_ptr<rocksdb::FSRandomAccessFile>;

file_ptr open(rocksdb::FileSystem& fs, std::string const& name)
{
    file_ptr file;
    auto const s = open_random_access(fs, name, {}, &file, nullptr);
    EXPECT_TRUE(s.ok()) << s.ToString();
    return file;
}

/// What a read gives: the octets, or the words of its failure.
std::string read(rocksdb::FSRandomAccessFile& file, std::uint64_t offset, std::size_t n)
{
    std::string scratch(n, '?');
    rocksdb::Slice got;
    auto const s = file.Read(offset, n, {}, &got, scratch.data(), nullptr);
    return s.ok() ? got.ToString() : s.IsIncomplete() ? "incomplete" : s.ToString();
}

TEST(rocks_reads, of_the_disk_are_those_of_the_file)
{
    scratch_directory const d;
    auto const name = d.path() + "/000001.sst";
    auto const octets = random_octets(300'000);
    std::ofstream{name, std::ios::binary} << octets;
    auto const file = open(*rocksdb::FileSystem::Default(), name);
    EXPECT_EQ(read(*file, 0, octets.size()), octets);
    EXPECT_EQ(read(*file, 99'999, 5000), octets.substr(99'999, 5000));
    EXPECT_EQ(read(*file, 299'990, 100), octets.substr(299'990));  // cut at the end
    EXPECT_EQ(read(*file, 400'000, 100), "");
    memory_only const here;
    // What was just read is in the page cache; a file system that cannot tell says that nothing is.
    auto const quick = read(*file, 99'999, 5000);
    EXPECT_TRUE(quick == octets.substr(99'999, 5000) || quick == "incomplete");
}

TEST(rocks_reads, open_no_file_while_only_memory_counts)
{
    scratch_directory const d;
    auto const name = d.path() + "/000001.sst";
    std::ofstream{name} << "there";
    file_ptr file;
    {
        memory_only const here;
        EXPECT_TRUE(open_random_access(*rocksdb::FileSystem::Default(), name, {}, &file, nullptr).IsIncomplete());
        memory_only const again;
    }
    EXPECT_TRUE(open_random_access(*rocksdb::FileSystem::Default(), name, {}, &file, nullptr).ok());
    EXPECT_TRUE(open_random_access(*rocksdb::FileSystem::Default(), d.path() + "/000002.sst", {}, &file, nullptr).IsPathNotFound());
}

TEST(rocks_reads, find_nothing_in_memory_below_another_file_system)
{
    faulty_file_system fs;
    std::unique_ptr<rocksdb::FSWritableFile> out;
    ASSERT_TRUE(fs.CreateDirIfMissing("/d", {}, nullptr).ok());
    ASSERT_TRUE(fs.NewWritableFile("/d/1.sst", {}, &out, nullptr).ok());
    ASSERT_TRUE(out->Append("octets", {}, nullptr).ok());
    ASSERT_TRUE(out->Sync({}, nullptr).ok());
    auto const file = open(fs, "/d/1.sst");
    EXPECT_EQ(read(*file, 0, 6), "octets");
    {
        memory_only const here;
        EXPECT_EQ(read(*file, 0, 6), "incomplete");
        rocksdb::FSReadRequest request;
        EXPECT_TRUE(file->MultiRead(&request, 1, {}, nullptr).IsIncomplete());
    }
    EXPECT_EQ(read(*file, 1, 2), "ct");
}

}  // namespace
}  // namespace mansio::store::test
