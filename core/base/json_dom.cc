/* json_dom.cc - simdjson behind json_dom.h. The one file that includes simdjson.h. No
 * exception leaves it. */
#include "core/base/json_dom.h"

#include <simdjson.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <new>
#include <string_view>
#include <vector>

#include "core/base/json_prepare.h"

namespace {

using simdjson::dom::element;
using simdjson::dom::element_type;

/* size() of simdjson saturates here; longer containers are counted by walking. */
constexpr size_t SIZE_SATURATED = 0xFFFFFF;
constexpr size_t BLOCK_NODES = 32; /* of the first block; each is twice the last one, up to ... */
constexpr size_t BLOCK_NODES_MOST = 1024;

/* bytes of text whose scratch a thread keeps; it takes twenty times that */
constexpr size_t TEXT_KEPT = 256 << 10;

/* What simdjson needs while it reads, and what it read: a thread uses it again, since to allocate
 * it costs more than to read a short text. */
struct scratch {
    simdjson::dom::parser parser;
    simdjson::dom::document read;

    scratch() {
        if (parser.allocate(0, JSON_DEPTH_LIMIT + 1) != simdjson::SUCCESS)
            throw std::bad_alloc();
    }
};

struct document {
    json_value root; /* first: json_free gets a pointer to it */
    std::unique_ptr<char[]> strings;
    std::vector<std::unique_ptr<json_value[]>> blocks;
    size_t left = 0; /* nodes left in the last block */
    bool marked;
    /* of containers around what is built; simdjson does not count an innermost one that is empty */
    int depth = 0;

    /* A string and its NUL take no more than its text with the quotes. */
    document(size_t length, bool has_marks)
        : strings(new char[length + 1]), marked(has_marks), at(strings.get()) {
    }

    std::string_view keep(std::string_view text) {
        char *start = at;
        memcpy(start, text.data(), text.size());
        start[text.size()] = '\0';
        at += text.size() + 1;
        return {start, text.size()};
    }

    json_value *take(size_t count) {
        if (count == 0)
            return nullptr;
        if (count > left) {
            size_t doubled = BLOCK_NODES << std::min<size_t>(blocks.size(), 5);
            size_t size = std::max(count, std::min(doubled, BLOCK_NODES_MOST));
            blocks.emplace_back(new json_value[size]);
            used = 0;
            left = size;
        }
        json_value *nodes = blocks.back().get() + used;
        used += count;
        left -= count;
        return nodes;
    }

  private:
    size_t used = 0;
    char *at; /* the next string */
};

template <typename container> size_t count_of(const container &values) {
    if (values.size() < SIZE_SATURATED)
        return values.size();
    size_t count = 0;
    for (auto at = values.begin(); at != values.end(); ++at)
        count++;
    return count;
}

/* Strings that json_prepare() wrote: \0\0... stands for \0..., and \0N, \0I, \0M for numbers that
 * JSON does not have.
 */
void put_string(const document &doc, std::string_view text, json_value &node) {
    node.kind = JSON_KIND_STRING;
    node.string = text.data();
    node.count = text.size();
    if (!doc.marked || text.size() < 2 || text[0] != '\0')
        return;
    if (text[1] == '\0') {
        node.string++;
        node.count--;
        return;
    }
    node.kind = JSON_KIND_NUMBER;
    node.is_integer = false;
    node.number = text[1] == 'N' ? std::nan("") : text[1] == 'I' ? INFINITY : -INFINITY;
}

std::string_view name_of(const json_value &member) {
    return {member.key, member.key_length};
}

bool has_twins(const json_value *members, size_t count) {
    if (count <= 16) {
        for (size_t i = 1; i < count; i++)
            for (size_t j = 0; j < i; j++)
                if (name_of(members[i]) == name_of(members[j]))
                    return true;
        return false;
    }
    std::vector<std::string_view> names(count);
    for (size_t i = 0; i < count; i++)
        names[i] = name_of(members[i]);
    std::sort(names.begin(), names.end());
    return std::adjacent_find(names.begin(), names.end()) != names.end();
}

bool build(document &doc, const element &from, json_value &node);

bool build_object(document &doc, const simdjson::dom::object &object, json_value &node) {
    node.kind = JSON_KIND_OBJECT;
    node.count = count_of(object);
    json_value *members = doc.take(node.count);
    node.children = members;
    size_t i = 0;
    for (auto field : object) {
        if (!build(doc, field.value, members[i]))
            return false;
        /* json_prepare() puts a NUL byte before keys that begin with one, too. */
        std::string_view key = doc.keep(field.key);
        size_t added = doc.marked && key.size() > 1 && key[0] == '\0';
        members[i].key = key.data() + added;
        members[i++].key_length = key.size() - added;
    }
    return !has_twins(members, node.count);
}

bool build_array(document &doc, const simdjson::dom::array &array, json_value &node) {
    node.kind = JSON_KIND_ARRAY;
    node.count = count_of(array);
    json_value *elements = doc.take(node.count);
    node.children = elements;
    size_t i = 0;
    for (element value : array)
        if (!build(doc, value, elements[i++]))
            return false;
    return true;
}

bool build(document &doc, const element &from, json_value &node) {
    node = json_value{};
    switch (from.type()) {
    case element_type::NULL_VALUE: node.kind = JSON_KIND_NULL; return true;
    case element_type::BOOL:
        node.kind = JSON_KIND_BOOLEAN;
        node.boolean = bool(from);
        return true;
    case element_type::INT64:
        node.kind = JSON_KIND_NUMBER;
        node.is_integer = true;
        node.integer = int64_t(from);
        node.number = double(node.integer);
        return true;
    case element_type::UINT64:
        node.kind = JSON_KIND_NUMBER;
        node.number = double(uint64_t(from));
        return true;
    case element_type::DOUBLE:
        node.kind = JSON_KIND_NUMBER;
        node.number = double(from);
        return true;
    case element_type::STRING: put_string(doc, doc.keep(std::string_view(from)), node); return true;
    case element_type::OBJECT:
    case element_type::ARRAY: break;
    }
    if (++doc.depth > JSON_DEPTH_LIMIT)
        return false;
    bool good = from.is_object() ? build_object(doc, simdjson::dom::object(from), node)
                                 : build_array(doc, simdjson::dom::array(from), node);
    doc.depth--;
    return good;
}

json_value_t *parse(const char *text, size_t length, bool marked) {
    static thread_local std::unique_ptr<scratch> kept;
    auto used = kept ? std::move(kept) : std::make_unique<scratch>();
    auto doc = std::make_unique<document>(length, marked);
    element root;
    bool good =
        used->parser.parse_into_document(used->read, text, length).get(root) == simdjson::SUCCESS &&
        build(*doc, root, doc->root);
    if (length <= TEXT_KEPT)
        kept = std::move(used);
    return good ? &doc.release()->root : nullptr;
}

} // namespace

json_value_t *json_dom_parse(const char *text, size_t length, bool marked) {
    try {
        return parse(text, length, marked);
    } catch (const std::exception &) {
        return nullptr;
    }
}

void json_dom_free(json_value_t *root) {
    delete reinterpret_cast<document *>(root);
}
