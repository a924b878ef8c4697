// SPDX-License-Identifier: Apache-2.0
#include "compact/downsample/fhist.h"

#include <float.h>
#include <math.h>

/* 2^(k/256) / 2 for k = 0 to 255, as upstream's table prints them: computed ones could differ in
 * the last bit. The bounds of a coarser schema are every 2nd, 4th, ... of these. */
static const double finest_bounds[1 << AN_HIST_SCHEMA_MAX] = {
    0.5,
    0.5013556375251013,
    0.5027149505564014,
    0.5040779490592088,
    0.5054446430258502,
    0.5068150424757447,
    0.5081891574554764,
    0.509566998038869,
    0.5109485743270583,
    0.5123338964485679,
    0.5137229745593818,
    0.5151158188430205,
    0.5165124395106142,
    0.5179128468009786,
    0.5193170509806894,
    0.520725062344158,
    0.5221368912137069,
    0.5235525479396449,
    0.5249720429003435,
    0.526395386502313,
    0.5278225891802786,
    0.5292536613972564,
    0.5306886136446309,
    0.5321274564422321,
    0.5335702003384117,
    0.5350168559101208,
    0.5364674337629877,
    0.5379219445313954,
    0.5393803988785598,
    0.5408428074966075,
    0.5423091811066545,
    0.5437795304588847,
    0.5452538663326288,
    0.5467321995364429,
    0.5482145409081883,
    0.549700901315111,
    0.5511912916539204,
    0.5526857228508706,
    0.5541842058618393,
    0.5556867516724088,
    0.5571933712979462,
    0.5587040757836845,
    0.5602188762048033,
    0.5617377836665098,
    0.5632608093041209,
    0.564787964283144,
    0.5663192597993595,
    0.5678547070789026,
    0.5693943173783458,
    0.5709381019847808,
    0.572486072215902,
    0.5740382394200894,
    0.5755946149764913,
    0.5771552102951081,
    0.5787200368168754,
    0.5802891060137493,
    0.5818624293887887,
    0.5834400184762408,
    0.585021884841625,
    0.5866080400818185,
    0.5881984958251406,
    0.5897932637314379,
    0.5913923554921704,
    0.5929957828304968,
    0.5946035575013605,
    0.5962156912915756,
    0.5978321960199137,
    0.5994530835371903,
    0.6010783657263515,
    0.6027080545025619,
    0.6043421618132907,
    0.6059806996384005,
    0.6076236799902344,
    0.6092711149137041,
    0.6109230164863786,
    0.6125793968185725,
    0.6142402680534349,
    0.6159056423670379,
    0.6175755319684665,
    0.6192499490999082,
    0.620928906036742,
    0.622612415087629,
    0.6243004885946023,
    0.6259931389331581,
    0.6276903785123455,
    0.6293922197748583,
    0.6310986751971253,
    0.6328097572894031,
    0.6345254785958666,
    0.6362458516947014,
    0.637970889198196,
    0.6397006037528346,
    0.6414350080393891,
    0.6431741147730128,
    0.6449179367033329,
    0.6466664866145447,
    0.6484197773255048,
    0.6501778216898253,
    0.6519406325959679,
    0.6537082229673385,
    0.6554806057623822,
    0.6572577939746774,
    0.659039800633032,
    0.6608266388015788,
    0.6626183215798706,
    0.6644148621029772,
    0.6662162735415805,
    0.6680225691020727,
    0.6698337620266515,
    0.6716498655934177,
    0.6734708931164728,
    0.6752968579460171,
    0.6771277734684463,
    0.6789636531064505,
    0.6808045103191123,
    0.6826503586020058,
    0.6845012114872953,
    0.6863570825438342,
    0.688217985377265,
    0.690083933630119,
    0.6919549409819159,
    0.6938310211492645,
    0.6957121878859629,
    0.6975984549830999,
    0.6994898362691555,
    0.7013863456101023,
    0.7032879969095076,
    0.7051948041086352,
    0.7071067811865475,
    0.7090239421602076,
    0.7109463010845827,
    0.7128738720527471,
    0.7148066691959849,
    0.7167447066838943,
    0.718687998724491,
    0.7206365595643126,
    0.7225904034885232,
    0.7245495448210174,
    0.7265139979245261,
    0.7284837772007218,
    0.7304588970903234,
    0.7324393720732029,
    0.7344252166684908,
    0.7364164454346837,
    0.7384130729697496,
    0.7404151139112358,
    0.7424225829363761,
    0.7444354947621984,
    0.7464538641456323,
    0.7484777058836176,
    0.7505070348132126,
    0.7525418658117031,
    0.7545822137967112,
    0.7566280937263048,
    0.7586795205991071,
    0.7607365094544071,
    0.762799075372269,
    0.7648672334736434,
    0.7669409989204777,
    0.7690203869158282,
    0.7711054127039704,
    0.7731960915705107,
    0.7752924388424999,
    0.7773944698885442,
    0.7795022001189185,
    0.7816156449856788,
    0.7837348199827764,
    0.7858597406461707,
    0.7879904225539431,
    0.7901268813264122,
    0.7922691326262467,
    0.7944171921585818,
    0.7965710756711334,
    0.7987307989543135,
    0.8008963778413465,
    0.8030678282083853,
    0.805245165974627,
    0.8074284071024302,
    0.8096175675974316,
    0.8118126635086642,
    0.8140137109286738,
    0.8162207259936375,
    0.8184337248834821,
    0.820652723822003,
    0.8228777390769823,
    0.8251087869603088,
    0.8273458838280969,
    0.8295890460808079,
    0.8318382901633681,
    0.8340936325652911,
    0.8363550898207981,
    0.8386226785089391,
    0.8408964152537144,
    0.8431763167241966,
    0.8454623996346523,
    0.8477546807446661,
    0.8500531768592616,
    0.8523579048290255,
    0.8546688815502312,
    0.8569861239649629,
    0.8593096490612387,
    0.8616394738731368,
    0.8639756154809185,
    0.8663180910111553,
    0.8686669176368529,
    0.871022112577578,
    0.8733836930995842,
    0.8757516765159389,
    0.8781260801866495,
    0.8805069215187917,
    0.8828942179666361,
    0.8852879870317771,
    0.8876882462632604,
    0.890095013257712,
    0.8925083056594671,
    0.8949281411607002,
    0.8973545375015533,
    0.8997875124702672,
    0.9022270839033115,
    0.9046732696855155,
    0.9071260877501991,
    0.909585556079304,
    0.9120516927035263,
    0.9145245157024483,
    0.9170040432046711,
    0.9194902933879467,
    0.9219832844793128,
    0.9244830347552253,
    0.9269895625416926,
    0.92950288621441,
    0.9320230241988943,
    0.9345499949706191,
    0.9370838170551498,
    0.93962450902828,
    0.9421720895161669,
    0.9447265771954693,
    0.9472879907934827,
    0.9498563490882775,
    0.9524316709088368,
    0.9550139751351947,
    0.9576032806985735,
    0.9601996065815236,
    0.9628029718180622,
    0.9654133954938133,
    0.9680308967461471,
    0.9706554947643201,
    0.9732872087896164,
    0.9759260581154889,
    0.9785720620876999,
    0.9812252401044634,
    0.9838856116165875,
    0.9865531961276168,
    0.9892280131939752,
    0.9919100824251095,
    0.9945994234836328,
    0.9972960560854698,
};

/* ---- bounds and the zero bucket ---- */

double an_fhist_bound(const an_hist *h, int32_t schema, int64_t index)
{
    double frac = 0.5;
    int64_t exp;

    if (schema == AN_HIST_CUSTOM) {
        if (index < 0) return -INFINITY;
        return index < h->n_custom ? an_float(h->custom[index]) : INFINITY;
    }
    if (schema < 0) {
        exp = index * (INT64_C(1) << -schema) + 1;
    } else {
        uint64_t k = (uint64_t)index & ((UINT64_C(1) << schema) - 1);
        frac = finest_bounds[k << (AN_HIST_SCHEMA_MAX - schema)];
        exp = (index >> schema) + 1;
    }
    /* The bound above all floats is that of the bucket for infinity. */
    if (frac == 0.5 && exp == DBL_MAX_EXP + 1) return DBL_MAX;
    return ldexp(frac, exp > 5000 ? 5000 : exp < -5000 ? -5000 : (int)exp);
}

double an_fhist_widen(const an_hist *h, double *threshold)
{
    double to = *threshold, count = an_float(h->zero_count);
    int32_t index;

    if (to == an_float(h->zero_threshold)) return count;
again:
    count = an_float(h->zero_count);
    for (int side = AN_POS; side <= AN_NEG; side++) {
        an_bucket_cursor c = an_bucket_cursor_of(&h->side[side]);
        for (uint32_t i = 0; an_bucket_next(&c, &index); i++) {
            double v = an_float(h->side[side].v[i]);
            double upper = an_fhist_bound(h, h->schema, index);
            if (an_fhist_bound(h, h->schema, (int64_t)index - 1) >= to) break;
            count += v;
            if (!(upper > to)) continue;
            if (v != 0) {
                to = upper;
                if (side == AN_NEG) goto again; /* the positive side was cut elsewhere */
            }
            break;
        }
    }
    *threshold = to;
    return count;
}

bool an_fhist_same_bounds(const an_hist *a, const an_hist *b)
{
    if (a->n_custom != b->n_custom) return false;
    if (a->custom == b->custom) return true;
    for (uint32_t i = 0; i < a->n_custom; i++)
        if (!(an_float(a->custom[i]) == an_float(b->custom[i]))) return false;
    return true;
}

/* ---- memory ---- */

void an_fhist_init(an_fhist *f, an_arena *a)
{
    memset(f, 0, sizeof *f);
    f->h.is_float = true;
    f->arena = a;
}

/* Place for n elements at *p; what was there is lost. */
static an_rc grow(an_arena *a, void **p, size_t *cap, size_t n, size_t size, an_err *err)
{
    an_rc rc = AN_OK;
    size_t more = *cap < 16 ? 16 : *cap;

    if (n <= *cap) return AN_OK;
    while (more < n) more *= 2; /* n is at most a few AN_HIST_MAX_BUCKETS */
    void *q = an_arena_try(a, more, size);
    AN_CHECK(q != NULL, err, AN_ELIMIT, "no memory for a histogram of %zu buckets", n);
    *p = q;
    *cap = more;
out:
    return rc;
}

static an_rc grow_room(an_fhist *f, an_fhist_room *r, size_t n_spans, size_t n, an_err *err)
{
    an_rc rc = AN_OK;

    AN_TRY(grow(f->arena, (void **)&r->spans, &r->spans_cap, n_spans, sizeof *r->spans, err));
    AN_TRY(grow(f->arena, (void **)&r->v, &r->v_cap, n, sizeof *r->v, err));
out:
    return rc;
}

static void show(an_fhist *f, int side, size_t n_spans, size_t n)
{
    const an_fhist_room *r = &f->side[side];
    f->h.side[side] = (an_hist_side){(uint32_t)n_spans, (uint32_t)n, r->spans, r->v};
}

/* ---- copies ---- */

static an_rc copy_side(an_fhist *f, int side, const an_hist_side *from, an_err *err)
{
    an_rc rc = AN_OK;
    an_fhist_room *r = &f->side[side];

    AN_TRY(grow_room(f, r, from->n_spans, from->n, err));
    if (from->n_spans > 0) memcpy(r->spans, from->spans, from->n_spans * sizeof *r->spans);
    if (from->n > 0) memcpy(r->v, from->v, from->n * sizeof *r->v);
    show(f, side, from->n_spans, from->n);
out:
    return rc;
}

an_rc an_fhist_copy(an_fhist *f, const an_hist *from, an_err *err)
{
    an_rc rc = AN_OK;
    bool custom = from->schema == AN_HIST_CUSTOM;

    f->h = (an_hist){.is_float = true,
                     .hint = from->hint,
                     .schema = from->schema,
                     .count = from->count,
                     .sum = from->sum};
    if (custom) {
        f->h.n_custom = from->n_custom;
        f->h.custom = from->custom;
    } else {
        f->h.zero_threshold = from->zero_threshold;
        f->h.zero_count = from->zero_count;
        AN_TRY(copy_side(f, AN_NEG, &from->side[AN_NEG], err));
    }
    AN_TRY(copy_side(f, AN_POS, &from->side[AN_POS], err));
out:
    return rc;
}

an_rc an_fhist_set_sides(an_fhist *f, const an_hist_side sides[2], an_err *err)
{
    an_rc rc = AN_OK;

    AN_TRY(copy_side(f, AN_POS, &sides[AN_POS], err));
    AN_TRY(copy_side(f, AN_NEG, &sides[AN_NEG], err));
out:
    return rc;
}

/* ---- building a layout ---- */

/* A side that grows at its end. */
typedef struct layout {
    an_fhist_room *to;
    size_t n_spans, n;
    int64_t end; /* index behind the last bucket or span */
} layout;

/* A span that begins at `index`, without buckets yet. */
static an_rc add_span(layout *l, int64_t index, an_err *err)
{
    an_rc rc = AN_OK;
    int64_t offset = l->n_spans == 0 ? index : index - l->end;

    AN_CHECK(offset >= INT32_MIN && offset <= INT32_MAX && index <= INT32_MAX, err, AN_ECORRUPT,
             "histograms with buckets %lld and %lld and none between them", (long long)l->end - 1,
             (long long)index);
    l->to->spans[l->n_spans++] = (an_span){(int32_t)offset, 0};
    l->end = index;
out:
    return rc;
}

static void add_bucket(layout *l, double v)
{
    l->to->spans[l->n_spans - 1].length++;
    l->to->v[l->n++] = an_float_bits(v);
    l->end++;
}

/* A bucket that stands alone or continues the last span. */
static an_rc add_next(layout *l, int64_t index, double v, an_err *err)
{
    an_rc rc = AN_OK;

    if (l->n_spans == 0 || index != l->end) AN_TRY(add_span(l, index, err));
    add_bucket(l, v);
out:
    return rc;
}

/* What was built in the spare room becomes the side. */
static void take_spare(an_fhist *f, int side, const layout *l)
{
    an_fhist_room r = f->side[side];

    f->side[side] = f->spare;
    f->spare = r;
    show(f, side, l->n_spans, l->n);
}

/* The bucket of the coarser schema that holds bucket `index`. */
static int64_t coarser(int64_t index, int32_t from, int32_t to)
{
    return ((index - 1) >> (from - to)) + 1;
}

/* Buckets that fall together are added, the first of them not to 0. */
static an_rc reduce_side(an_fhist *f, int side, const an_hist_side *s, int32_t from, int32_t to,
                         an_err *err)
{
    an_rc rc = AN_OK;
    an_bucket_cursor c = an_bucket_cursor_of(s);
    layout l = {.to = &f->spare};
    int32_t index;

    AN_TRY(grow_room(f, &f->spare, s->n, s->n, err));
    for (uint32_t i = 0; an_bucket_next(&c, &index); i++) {
        int64_t t = coarser(index, from, to);
        double v = an_float(s->v[i]);
        if (l.n > 0 && t == l.end - 1)
            l.to->v[l.n - 1] = an_float_bits(an_float(l.to->v[l.n - 1]) + v);
        else
            AN_TRY(add_next(&l, t, v, err));
    }
    take_spare(f, side, &l);
out:
    return rc;
}

an_rc an_fhist_reduce(an_fhist *f, const an_hist *from, int32_t schema, an_err *err)
{
    an_rc rc = AN_OK;

    an_assert(from->schema != AN_HIST_CUSTOM && schema != AN_HIST_CUSTOM && schema < from->schema);
    f->h = (an_hist){.is_float = true,
                     .schema = schema,
                     .zero_threshold = from->zero_threshold,
                     .zero_count = from->zero_count,
                     .count = from->count,
                     .sum = from->sum};
    for (int side = AN_POS; side <= AN_NEG; side++)
        AN_TRY(reduce_side(f, side, &from->side[side], from->schema, schema, err));
out:
    return rc;
}

/* ---- the zero buckets of two that are added ---- */

/* Buckets inside the zero bucket become 0; then all that are 0 go. */
static an_rc trim_side(an_fhist *f, int side, an_err *err)
{
    an_rc rc = AN_OK;
    const an_hist_side *s = &f->h.side[side];
    an_bucket_cursor c = an_bucket_cursor_of(s);
    layout l = {.to = &f->spare};
    double threshold = an_float(f->h.zero_threshold);
    bool inside = true;
    int32_t index;

    AN_TRY(grow_room(f, &f->spare, s->n, s->n, err));
    for (uint32_t i = 0; an_bucket_next(&c, &index); i++) {
        double v = an_float(s->v[i]);
        inside = inside && !(an_fhist_bound(&f->h, f->h.schema, (int64_t)index - 1) >= threshold);
        if (!inside && v != 0) AN_TRY(add_next(&l, index, v, err));
    }
    take_spare(f, side, &l);
out:
    return rc;
}

/* Widens both zero buckets until they are equally wide and divide no bucket. *count: what b's would
 * hold; b itself stays as it is. */
static an_rc reconcile(an_fhist *f, const an_hist *b, double *count, an_err *err)
{
    an_rc rc = AN_OK;
    double own = an_float(f->h.zero_threshold), other = an_float(b->zero_threshold);

    AN_CHECK(!isnan(own) && !isnan(other), err, AN_ECORRUPT,
             "the zero threshold of a histogram is no number");
    *count = an_float(b->zero_count);
    while (other != own) {
        if (own > other) {
            other = own;
            *count = an_fhist_widen(b, &other);
        }
        if (other > own) {
            own = other;
            f->h.zero_count = an_float_bits(an_fhist_widen(&f->h, &own));
            f->h.zero_threshold = an_float_bits(own);
            AN_TRY(trim_side(f, AN_POS, err));
            AN_TRY(trim_side(f, AN_NEG, err));
        }
    }
out:
    return rc;
}

/* ---- buckets of equal kind ---- */

typedef enum sign { PLUS, MINUS } sign;

static double sum_of(double a, sign s, double b) { return s == PLUS ? a + b : a - b; }

static bool same_spans(const an_hist_side *a, const an_hist_side *b)
{
    return a->n_spans == b->n_spans &&
           (a->n_spans == 0 || a->spans == b->spans ||
            memcmp(a->spans, b->spans, a->n_spans * sizeof *a->spans) == 0);
}

/* The leading buckets of b that lie inside the zero bucket: they are counted there already. */
static uint32_t n_inside(const an_hist *h, const an_hist_side *b)
{
    an_bucket_cursor c = an_bucket_cursor_of(b);
    double threshold = an_float(h->zero_threshold);
    uint32_t n = 0;
    int32_t index;

    if (!an_fhist_plain_schema(h->schema)) return 0;
    while (an_bucket_next(&c, &index) && an_fhist_bound(h, h->schema, index) <= threshold) n++;
    return n;
}

/* The buckets of b from number `at` on. */
typedef struct incoming {
    an_bucket_cursor c;
    const an_hist_side *side;
    sign sign;
    uint32_t at;
    int64_t index; /* INT64_MAX: there are no more */
} incoming;

static void next_incoming(incoming *in)
{
    int32_t index;

    in->at++;
    in->index = an_bucket_next(&in->c, &index) ? index : INT64_MAX;
}

static double value_of(const incoming *in) { return an_float(in->side->v[in->at]); }

static double new_value(const incoming *in)
{
    return in->sign == PLUS ? value_of(in) : -value_of(in);
}

static incoming incoming_of(const an_hist_side *b, uint32_t skip, sign s)
{
    incoming in = {.c = an_bucket_cursor_of(b), .side = b, .sign = s, .at = UINT32_MAX};

    do next_incoming(&in);
    while (in.at < skip);
    return in;
}

/* A bucket that a lacks goes to the span before it when it stands directly behind that one, else
 * to the span after it when it stands directly before, else to a span of its own. Spans that meet
 * stay two. */
static an_rc merge_side(an_fhist *f, int side, const an_hist_side *b, uint32_t skip, sign s,
                        an_err *err)
{
    an_rc rc = AN_OK;
    const an_hist_side *a = &f->h.side[side];
    incoming in = incoming_of(b, skip, s);
    layout l = {.to = &f->spare};
    size_t at = 0;
    int64_t next = 0;

    AN_TRY(grow_room(f, &f->spare, (size_t)a->n_spans + b->n, (size_t)a->n + b->n, err));
    for (uint32_t i = 0; i < a->n_spans; i++) {
        int64_t start = next + a->spans[i].offset;
        bool begun = false;
        for (; in.index < start; next_incoming(&in)) {
            bool behind = l.n_spans > 0 && in.index == l.end;
            if (!behind) AN_TRY(add_span(&l, in.index, err));
            begun = !behind && in.index + 1 == start;
            add_bucket(&l, new_value(&in));
        }
        if (!begun) AN_TRY(add_span(&l, start, err));
        next = start + a->spans[i].length;
        for (; start < next; start++) {
            double v = an_float(a->v[at++]);
            if (in.index == start) {
                v = sum_of(v, s, value_of(&in));
                next_incoming(&in);
            }
            add_bucket(&l, v);
        }
    }
    for (; in.index != INT64_MAX; next_incoming(&in))
        AN_TRY(add_next(&l, in.index, new_value(&in), err));
    AN_CHECK(l.n <= AN_HIST_MAX_BUCKETS, err, AN_ELIMIT,
             "histograms with more than %d buckets between them", (int)AN_HIST_MAX_BUCKETS);
    take_spare(f, side, &l);
out:
    return rc;
}

static an_rc add_side(an_fhist *f, int side, const an_hist_side *b, sign s, an_err *err)
{
    const an_hist_side *a = &f->h.side[side];
    uint32_t skip = n_inside(&f->h, b);
    uint64_t *v = f->side[side].v;

    if (!same_spans(a, b)) return merge_side(f, side, b, skip, s, err);
    for (uint32_t i = skip; i < b->n; i++)
        v[i] = an_float_bits(sum_of(an_float(v[i]), s, an_float(b->v[i])));
    return AN_OK;
}

/* ---- custom buckets with different bounds ---- */

/* Adds the buckets to those of the common bounds in `to`: to the first that is not below its own
 * bound, else to the last one. */
static an_rc map_buckets(const an_hist *h, sign s, const double *common, size_t n, double *to,
                         an_err *err)
{
    an_rc rc = AN_OK;
    const an_hist_side *from = &h->side[AN_POS];
    an_bucket_cursor c = an_bucket_cursor_of(from);
    size_t at = 0;
    int32_t index;

    for (uint32_t i = 0; an_bucket_next(&c, &index); i++) {
        size_t target = n;
        AN_CHECK(index >= 0, err, AN_ECORRUPT, "histogram with custom bucket %d", index);
        if ((uint32_t)index < h->n_custom) {
            double bound = an_float(h->custom[index]);
            while (at < n && !(common[at] >= bound)) at++;
            target = at;
        }
        to[target] = sum_of(to[target], s, an_float(from->v[i]));
    }
out:
    return rc;
}

/* Both histograms are mapped to the bounds that they have in common; buckets of 0 go. */
static an_rc add_mismatched(an_fhist *f, const an_hist *b, sign s, an_err *err)
{
    an_rc rc = AN_OK;
    size_t most = f->h.n_custom < b->n_custom ? f->h.n_custom : b->n_custom, n = 0;
    layout l = {.to = &f->spare};

    AN_TRY(grow(f->arena, (void **)&f->work, &f->work_cap, 2 * most + 1, sizeof *f->work, err));
    double *common = f->work, *to = f->work + most;
    memset(to, 0, (most + 1) * sizeof *to);
    for (uint32_t i = 0, j = 0; i < f->h.n_custom && j < b->n_custom;) {
        double x = an_float(f->h.custom[i]), y = an_float(b->custom[j]);
        if (x == y) common[n++] = x;
        if (x == y || x < y) i++;
        if (x == y || !(x < y)) j++;
    }
    AN_TRY(map_buckets(&f->h, PLUS, common, n, to, err));
    AN_TRY(map_buckets(b, s, common, n, to, err));
    AN_TRY(grow_room(f, &f->spare, n + 1, n + 1, err));
    for (size_t i = 0; i <= n; i++)
        if (to[i] != 0) AN_TRY(add_next(&l, (int64_t)i, to[i], err));
    take_spare(f, AN_POS, &l);
    AN_TRY(grow(f->arena, (void **)&f->custom, &f->custom_cap, n, sizeof *f->custom, err));
    for (size_t i = 0; i < n; i++) f->custom[i] = an_float_bits(common[i]);
    f->h.custom = f->custom;
    f->h.n_custom = (uint32_t)n;
out:
    return rc;
}

/* ---- sums and differences ---- */

static an_hist_hint joint_hint(an_hist_hint a, an_hist_hint b)
{
    if (a == b) return a;
    if (a == AN_HINT_GAUGE || b == AN_HINT_GAUGE) return AN_HINT_GAUGE;
    return AN_HINT_UNKNOWN;
}

static an_rc add_exponential(an_fhist *f, const an_hist *b, sign s, an_err *err)
{
    an_rc rc = AN_OK;
    an_fhist finer; /* b at the schema of f, if that is coarser */

    if (b->schema < f->h.schema) {
        for (int side = AN_POS; side <= AN_NEG; side++)
            AN_TRY(reduce_side(f, side, &f->h.side[side], f->h.schema, b->schema, err));
        f->h.schema = b->schema;
    } else if (b->schema > f->h.schema) {
        an_fhist_init(&finer, f->arena);
        AN_TRY(an_fhist_reduce(&finer, b, f->h.schema, err));
        b = &finer.h;
    }
    AN_TRY(add_side(f, AN_POS, &b->side[AN_POS], s, err));
    AN_TRY(add_side(f, AN_NEG, &b->side[AN_NEG], s, err));
out:
    return rc;
}

static void add_to(uint64_t *a, sign s, double b)
{
    *a = an_float_bits(sum_of(an_float(*a), s, b));
}

static an_rc combine(an_fhist *f, const an_hist *b, sign s, an_err *err)
{
    an_rc rc = AN_OK;
    bool custom = f->h.schema == AN_HIST_CUSTOM;
    double zero_count;

    AN_CHECK(custom == (b->schema == AN_HIST_CUSTOM), err, AN_ECORRUPT,
             "cannot apply this operation on histograms with a mix of exponential and custom "
             "bucket schemas");
    f->h.hint = joint_hint(f->h.hint, b->hint);
    if (!custom) {
        AN_TRY(reconcile(f, b, &zero_count, err));
        add_to(&f->h.zero_count, s, zero_count);
    }
    add_to(&f->h.count, s, an_float(b->count));
    add_to(&f->h.sum, s, an_float(b->sum));
    if (!custom)
        rc = add_exponential(f, b, s, err);
    else if (an_fhist_same_bounds(&f->h, b))
        rc = add_side(f, AN_POS, &b->side[AN_POS], s, err);
    else
        rc = add_mismatched(f, b, s, err);
out:
    return rc;
}

an_rc an_fhist_add(an_fhist *f, const an_hist *b, an_err *err) { return combine(f, b, PLUS, err); }
an_rc an_fhist_sub(an_fhist *f, const an_hist *b, an_err *err) { return combine(f, b, MINUS, err); }
