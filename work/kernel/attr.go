package kernel

import (
	"encoding/binary"
	"math"
)

// AppendBinary appends the attributes' only encoding: 34 bytes, the fields in the sequence
// of their declaration, big endian, floats as their bits (NUMERICS.md, section 6.1). The
// names of operations are hashed from it. The error is always nil.
func (a Attr) AppendBinary(b []byte) ([]byte, error) {
	causal := byte(0)
	if a.Causal {
		causal = 1
	}
	be := binary.BigEndian
	b = append(b, byte(a.Trans))
	b = be.AppendUint32(b, uint32(a.Heads))
	b = append(b, causal)
	for _, f := range [...]float32{a.Scale, a.Eps, a.Beta1, a.Beta2, a.Rate} {
		b = be.AppendUint32(b, math.Float32bits(f))
	}
	b = be.AppendUint32(b, a.Site)
	return be.AppendUint32(b, uint32(a.Rows)), nil
}
