// SPDX-License-Identifier: Apache-2.0
#include "base/jsonw.h"

#include "base/err.h"
#include "base/strconv.h"
#include "base/utf8.h"

#include <string.h>

static const char hex[] = "0123456789abcdef";

static void quote_low(an_buf *out, uint8_t c)
{
    switch (c) {
    case '"':
        an_buf_str(out, "\\\"");
        break;
    case '\\':
        an_buf_str(out, "\\\\");
        break;
    case '\b':
        an_buf_str(out, "\\b");
        break;
    case '\f':
        an_buf_str(out, "\\f");
        break;
    case '\n':
        an_buf_str(out, "\\n");
        break;
    case '\r':
        an_buf_str(out, "\\r");
        break;
    case '\t':
        an_buf_str(out, "\\t");
        break;
    default: {
        char u[6] = {'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]};
        an_buf_add(out, u, sizeof u);
    }
    }
}

void an_json_quote(an_buf *out, an_slice s, bool html)
{
    size_t start = 0; /* of the run of bytes that stay as they are */

    an_buf_u8(out, '"');
    for (size_t i = 0; i < s.n;) {
        uint8_t c = s.p[i];
        if (c < 0x80) {
            if (c < 0x20 || c == '"' || c == '\\' || (html && (c == '<' || c == '>' || c == '&'))) {
                an_buf_add(out, s.p + start, i - start);
                quote_low(out, c);
                start = i + 1;
            }
            i++;
            continue;
        }
        uint32_t r;
        size_t len = an_utf8_decode(s.p + i, s.n - i, &r);
        bool invalid = r == AN_RUNE_ERROR && len == 1;
        if (invalid || r == 0x2028 || r == 0x2029) {
            an_buf_add(out, s.p + start, i - start);
            an_buf_str(out, invalid ? "\\ufffd" : r == 0x2028 ? "\\u2028" : "\\u2029");
            start = i + len;
        }
        i += len;
    }
    if (s.n > start) an_buf_add(out, s.p + start, s.n - start);
    an_buf_u8(out, '"');
}

void an_json_float64_text(an_buf *out, double v)
{
    char text[AN_FLOAT_TEXT];
    double abs = v < 0 ? -v : v;
    bool e = abs != 0 && (abs < 1e-6 || abs >= 1e21);
    size_t n = an_float_print(v, e ? 'e' : 'f', text);

    /* Go's strconv writes at least two digits of exponent, its JSON drops a leading zero. */
    if (e && n >= 4 && text[n - 4] == 'e' && text[n - 3] == '-' && text[n - 2] == '0') {
        text[n - 2] = text[n - 1];
        n--;
    }
    an_buf_add(out, text, n);
}

an_jsonw an_jsonw_to(an_buf *out, const char *indent, bool html)
{
    return (an_jsonw){.out = out, .indent = indent, .html = html};
}

static void new_line(an_jsonw *w)
{
    if (w->indent == NULL) return;
    an_buf_u8(w->out, '\n');
    for (unsigned i = 0; i < w->depth; i++) an_buf_str(w->out, w->indent);
}

/* Before every value and key: the comma and line it needs. */
static void place(an_jsonw *w)
{
    if (w->after_key) {
        w->after_key = false;
        return;
    }
    if (w->depth == 0) return;
    if (w->filled[w->depth]) an_buf_u8(w->out, ',');
    w->filled[w->depth] = true;
    new_line(w);
}

static void begin(an_jsonw *w, uint8_t bracket)
{
    place(w);
    an_buf_u8(w->out, bracket);
    an_assert(w->depth + 1 < AN_JSONW_DEPTH);
    w->filled[++w->depth] = false;
}

static void end(an_jsonw *w, uint8_t bracket)
{
    an_assert(w->depth > 0 && !w->after_key);
    bool filled = w->filled[w->depth--];
    if (filled) new_line(w);
    an_buf_u8(w->out, bracket);
}

void an_jsonw_begin_object(an_jsonw *w) { begin(w, '{'); }
void an_jsonw_end_object(an_jsonw *w) { end(w, '}'); }
void an_jsonw_begin_array(an_jsonw *w) { begin(w, '['); }
void an_jsonw_end_array(an_jsonw *w) { end(w, ']'); }

void an_jsonw_key_slice(an_jsonw *w, an_slice key)
{
    place(w);
    an_json_quote(w->out, key, w->html);
    an_buf_str(w->out, w->indent == NULL ? ":" : ": ");
    w->after_key = true;
}

void an_jsonw_key(an_jsonw *w, const char *key) { an_jsonw_key_slice(w, an_slice_str(key)); }

void an_jsonw_string(an_jsonw *w, an_slice s)
{
    place(w);
    an_json_quote(w->out, s, w->html);
}

void an_jsonw_cstr(an_jsonw *w, const char *s) { an_jsonw_string(w, an_slice_str(s)); }

void an_jsonw_int(an_jsonw *w, int64_t v)
{
    place(w);
    an_buf_printf(w->out, "%lld", (long long)v);
}

void an_jsonw_uint(an_jsonw *w, uint64_t v)
{
    place(w);
    an_buf_printf(w->out, "%llu", (unsigned long long)v);
}

void an_jsonw_bool(an_jsonw *w, bool v)
{
    place(w);
    an_buf_str(w->out, v ? "true" : "false");
}

void an_jsonw_null(an_jsonw *w)
{
    place(w);
    an_buf_str(w->out, "null");
}

/* Only the depth is counted here, not kept level by level: what is raw may nest deeper than what we
 * write ourselves. */
void an_jsonw_raw(an_jsonw *w, an_slice json)
{
    unsigned depth = w->depth;

    place(w);
    if (w->indent == NULL) {
        an_buf_slice_add(w->out, json);
        return;
    }
    for (size_t i = 0; i < json.n; i++) {
        uint8_t c = json.p[i];
        switch (c) {
        case '"': {
            size_t j = i + 1;
            while (j < json.n && json.p[j] != '"') j += json.p[j] == '\\' ? 2 : 1;
            if (j >= json.n) j = json.n - 1; /* not JSON: ours to avoid, not to overrun */
            an_buf_add(w->out, json.p + i, j + 1 - i);
            i = j;
            break;
        }
        case '{':
        case '[':
            an_buf_u8(w->out, c);
            if (i + 1 < json.n && json.p[i + 1] == c + 2) { /* '{' + 2 == '}', '[' + 2 == ']' */
                an_buf_u8(w->out, json.p[++i]);
                break;
            }
            w->depth++;
            new_line(w);
            break;
        case '}':
        case ']':
            if (w->depth > 0) w->depth--;
            new_line(w);
            an_buf_u8(w->out, c);
            break;
        case ',':
            an_buf_u8(w->out, c);
            new_line(w);
            break;
        case ':':
            an_buf_str(w->out, ": ");
            break;
        default:
            an_buf_u8(w->out, c);
        }
    }
    w->depth = depth;
}
