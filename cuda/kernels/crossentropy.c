// CrossEntropy: a thread a row of v logits.
#include "elementary.h"

KERNEL crossentropy(const GLOBAL float *x, const GLOBAL float *m, const GLOBAL float *s, const GLOBAL float *sum,
                    const GLOBAL u32 *y, GLOBAL float *loss, GLOBAL float *nlls, float eps, float rest, u32 v, u64 n) {
	u64 t = element();
	if (t >= n)
		return;
	float lse = m[t] + logarithm(s[t]);
	float nll = lse - x[t * v + y[t]];
	loss[t] = rest * nll + eps * (lse - divide(sum[t], (float)v));
	nlls[t] = nll;
}
