package curves

import (
	"encoding/binary"
	"hash/crc32"
	"math"

	"google.golang.org/protobuf/encoding/protowire"
)

// An event file is a sequence of records (tensorflow/core/lib/io/record_writer.h):
//
//	length of the data  8 bytes, little endian
//	its masked CRC      4 bytes
//	data                an Event (tensorflow/core/util/event.proto)
//	its masked CRC      4 bytes
//
// An Event has a wall time in seconds, a step, and either the version of the file or a
// Summary of values, each a tag and a number. The step is the round here.
const (
	eventTime    protowire.Number = 1 // double
	eventStep    protowire.Number = 2 // int64
	eventVersion protowire.Number = 3 // string
	eventSummary protowire.Number = 5 // Summary

	summaryValue protowire.Number = 1 // repeated Value
	valueTag     protowire.Number = 1 // string
	valueNumber  protowire.Number = 2 // float
)

// fileVersion is the version in the first event of a file.
const fileVersion = "brain.Event:2"

// scalar is a tag and a number.
type scalar struct {
	tag   string
	value float64
}

// scalars returns the numbers of a round that TensorBoard shows.
func scalars(p Point) []scalar {
	s := []scalar{{"loss/train", p.Loss}, {"nll/train", p.NLL}, {"learning_rate", p.LearningRate}}
	if p.Seconds > 0 {
		s = append(s, scalar{"tokens_per_second", float64(p.Tokens) / p.Seconds})
	}
	if v := p.Validation; v != nil {
		s = append(s, scalar{"loss/valid", v.NLL}, scalar{"bleu", v.BLEU}, scalar{"chrf", v.ChrF})
	}
	return s
}

// eventRecords returns the record of a round. Before the first round it puts the record
// of the version.
func eventRecords(p Point, first bool) []byte {
	var b []byte
	if first {
		b = record(protowire.AppendString(protowire.AppendTag(eventHead(p.Time, 0), eventVersion, protowire.BytesType), fileVersion))
	}
	var summary []byte
	for _, s := range scalars(p) {
		value := protowire.AppendString(protowire.AppendTag(nil, valueTag, protowire.BytesType), s.tag)
		value = protowire.AppendFixed32(protowire.AppendTag(value, valueNumber, protowire.Fixed32Type), math.Float32bits(float32(s.value)))
		summary = protowire.AppendBytes(protowire.AppendTag(summary, summaryValue, protowire.BytesType), value)
	}
	return append(b, record(protowire.AppendBytes(protowire.AppendTag(eventHead(p.Time, p.Round), eventSummary, protowire.BytesType), summary))...)
}

// eventHead returns the first fields of an event: the time, given in milliseconds, and
// the step.
func eventHead(time uint64, step int) []byte {
	b := protowire.AppendFixed64(protowire.AppendTag(nil, eventTime, protowire.Fixed64Type), math.Float64bits(float64(time)/1000))
	return protowire.AppendVarint(protowire.AppendTag(b, eventStep, protowire.VarintType), uint64(step))
}

// record puts length and checksums around an event.
func record(data []byte) []byte {
	b := binary.LittleEndian.AppendUint64(nil, uint64(len(data)))
	b = binary.LittleEndian.AppendUint32(b, masked(b))
	b = append(b, data...)
	return binary.LittleEndian.AppendUint32(b, masked(data))
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// masked returns the CRC-32C of data, rotated and shifted by a constant, because the
// CRC of data that contains CRCs is weak (tensorflow/core/lib/hash/crc32c.h).
func masked(data []byte) uint32 {
	crc := crc32.Checksum(data, castagnoli)
	return (crc>>15 | crc<<17) + 0xa282ead8
}
