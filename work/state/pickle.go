package state

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
)

// A pickle is a program for a stack machine (Python's pickletools.py describes it). Python's
// own machine imports any class and calls it, so a pickle can do whatever its author likes.
// This machine has the opcodes that build numbers, texts, tuples, lists and dictionaries. A
// class is only a name here, and REDUCE knows the names that torch.save gives plain tensors.
// Every other opcode or name is an error that tells it. Nothing of the pickle runs.

// The limits of a pickle. A tensor takes about forty opcodes, and [maxTensors] fit.
const (
	maxPickle  = 32 << 20 // bytes
	maxOpcodes = 1 << 20  // steps of the machine, and so values and entries of its memory
)

// The values on the machine's stack. Beside these there are nil, bool, int64, float64,
// string, *storage and *torchTensor.
type (
	pickleTuple []any
	pickleList  struct{ items []any }
	pickleDict  struct {
		keys   []string
		values map[string]any
	}
	pickleName string // of a class or function, with its module: "torch.FloatStorage"
	pickleLong string // a whole number of more than eight bytes, little endian
)

// newPickleDict is an empty dictionary.
func newPickleDict() *pickleDict { return &pickleDict{values: map[string]any{}} }

// unpickler is the machine.
type unpickler struct {
	data  []byte // what is left to read
	stack []any
	marks []int // the heights of the stack at its marks
	memo  map[uint32]any
	// persistent gives what BINPERSID stands for: a storage. call gives the result of a
	// function that REDUCE calls.
	persistent func(id any) (any, error)
	call       func(name pickleName, args pickleTuple) (any, error)
}

// unpickle reads the pickle that data begins with. It gives its value and the rest of data.
func (u *unpickler) unpickle(data []byte) (value any, rest []byte, err error) {
	u.data, u.stack, u.marks, u.memo = data[:min(len(data), maxPickle)], u.stack[:0], u.marks[:0], map[uint32]any{}
	size := len(u.data)
	for range maxOpcodes {
		at := size - len(u.data)
		op, err := u.read(1)
		if err == nil && op[0] == '.' { // STOP
			if len(u.stack) != 1 || len(u.marks) != 0 {
				return nil, nil, fmt.Errorf("pickle: it ends with %d values and %d marks, want one value", len(u.stack), len(u.marks))
			}
			return u.stack[0], data[size-len(u.data):], nil
		}
		if err == nil {
			err = u.step(op[0])
		}
		if err != nil {
			return nil, nil, fmt.Errorf("pickle: byte %d: %w", at, err)
		}
	}
	return nil, nil, fmt.Errorf("pickle: it has more than %d opcodes", maxOpcodes)
}

// read takes n bytes of the pickle.
func (u *unpickler) read(n uint64) ([]byte, error) {
	if n > uint64(len(u.data)) {
		return nil, fmt.Errorf("cut short, or larger than %d bytes", maxPickle)
	}
	b := u.data[:n]
	u.data = u.data[n:]
	return b, nil
}

// number takes a whole number of n bytes, little endian.
func (u *unpickler) number(n uint64) (uint64, error) {
	b, err := u.read(n)
	var wide [8]byte
	copy(wide[:], b)
	return binary.LittleEndian.Uint64(wide[:]), err
}

// line takes the bytes in front of the next newline, and the newline.
func (u *unpickler) line() (string, error) {
	n := bytes.IndexByte(u.data[:min(len(u.data), 1<<10)], '\n')
	if n < 0 {
		return "", errors.New("cut short: a name without an end")
	}
	line := u.data[:n]
	u.data = u.data[n+1:]
	return string(line), nil
}

// text takes a text whose length is a number of n bytes.
func (u *unpickler) text(n uint64) error {
	size, err := u.number(n)
	if err != nil {
		return err
	}
	b, err := u.read(size)
	if err == nil && !utf8.Valid(b) {
		err = errors.New("a text that is not UTF-8")
	}
	u.push(string(b))
	return err
}

func (u *unpickler) push(v any) { u.stack = append(u.stack, v) }

// pop takes n values from the stack, but none below the last mark.
func (u *unpickler) pop(n int) ([]any, error) {
	floor := 0
	if len(u.marks) > 0 {
		floor = u.marks[len(u.marks)-1]
	}
	if len(u.stack)-n < floor {
		return nil, errors.New("an opcode takes more values than there are")
	}
	top := u.stack[len(u.stack)-n:]
	u.stack = u.stack[:len(u.stack)-n]
	return top, nil
}

// popMark takes the values above the last mark, and the mark.
func (u *unpickler) popMark() ([]any, error) {
	if len(u.marks) == 0 {
		return nil, errors.New("an opcode takes a mark where there is none")
	}
	at := u.marks[len(u.marks)-1]
	u.marks = u.marks[:len(u.marks)-1]
	top := u.stack[at:]
	u.stack = u.stack[:at]
	return top, nil
}

// step does one opcode.
func (u *unpickler) step(op byte) error {
	switch op {
	case 0x80: // PROTO
		version, err := u.number(1)
		if err == nil && (version < 2 || version > 5) {
			err = fmt.Errorf("protocol %d, want 2 to 5", version)
		}
		return err
	case 0x95: // FRAME: a hint for readers of streams
		_, err := u.number(8)
		return err
	case '(': // MARK
		u.marks = append(u.marks, len(u.stack))
	case 'N': // NONE
		u.push(nil)
	case 0x88, 0x89: // NEWTRUE, NEWFALSE
		u.push(op == 0x88)
	case 'J', 'K', 'M', 0x8A: // whole numbers
		return u.integer(op)
	case 'G': // BINFLOAT
		b, err := u.read(8)
		if err == nil {
			u.push(math.Float64frombits(binary.BigEndian.Uint64(b)))
		}
		return err
	case 'U', 0x8C: // SHORT_BINSTRING of Python 2, SHORT_BINUNICODE
		return u.text(1)
	case 'T', 'X': // BINSTRING of Python 2, BINUNICODE
		return u.text(4)
	case 'q', 'h': // BINPUT, BINGET
		return u.remember(1, op == 'q')
	case 'r', 'j': // LONG_BINPUT, LONG_BINGET
		return u.remember(4, op == 'r')
	case 0x94: // MEMOIZE
		return u.keep(uint32(len(u.memo)))
	case 'c', 0x93: // GLOBAL, STACK_GLOBAL
		return u.global(op == 0x93)
	case 'Q', 'R', 'b': // BINPERSID, REDUCE, BUILD
		return u.object(op)
	default:
		return u.collect(op)
	}
	return nil
}

// collect does an opcode that makes or fills a tuple, a list or a dictionary.
func (u *unpickler) collect(op byte) (err error) {
	var top []any
	switch op {
	case ')': // EMPTY_TUPLE
		u.push(pickleTuple{})
	case ']': // EMPTY_LIST
		u.push(&pickleList{})
	case '}': // EMPTY_DICT
		u.push(newPickleDict())
	case 0x85, 0x86, 0x87: // TUPLE1, TUPLE2, TUPLE3
		if top, err = u.pop(int(op) - 0x84); err == nil {
			u.push(append(pickleTuple(nil), top...))
		}
	case 't': // TUPLE
		if top, err = u.popMark(); err == nil {
			u.push(append(pickleTuple(nil), top...))
		}
	case 'a', 's': // APPEND, SETITEM
		n := map[byte]int{'a': 1, 's': 2}[op]
		if top, err = u.pop(n); err == nil {
			err = u.fill(op == 's', top)
		}
	case 'e', 'u': // APPENDS, SETITEMS
		if top, err = u.popMark(); err == nil {
			err = u.fill(op == 'u', top)
		}
	default:
		return fmt.Errorf("opcode %s: checkpoints of plain tensors have none such", opcodeName(op))
	}
	return err
}

// fill adds values to the list, or pairs to the dictionary, on the top of the stack.
func (u *unpickler) fill(pairs bool, values []any) error {
	if len(u.stack) == 0 {
		return errors.New("an opcode takes more values than there are")
	}
	switch to := u.stack[len(u.stack)-1].(type) {
	case *pickleList:
		if !pairs {
			to.items = append(to.items, values...)
			return nil
		}
	case *pickleDict:
		if pairs && len(values)%2 == 0 {
			for i := 0; i < len(values); i += 2 {
				key, ok := values[i].(string)
				if _, twice := to.values[key]; twice || !ok {
					return fmt.Errorf("a key of a dictionary is no text, or %q is there twice", key)
				}
				to.keys, to.values[key] = append(to.keys, key), values[i+1]
			}
			return nil
		}
	}
	return errors.New("items for something that is no list or dictionary")
}

// integer reads a whole number.
func (u *unpickler) integer(op byte) error {
	size := map[byte]uint64{'J': 4, 'K': 1, 'M': 2}[op]
	if op != 0x8A {
		n, err := u.number(size)
		if op == 'J' { // BININT has a sign, BININT1 and BININT2 have none
			n = uint64(int64(int32(uint32(n))))
		}
		u.push(int64(n))
		return err
	}
	// LONG1: a length and a number in two's complement.
	size, err := u.number(1)
	if err != nil {
		return err
	}
	b, err := u.read(size)
	if err != nil || size > 8 {
		u.push(pickleLong(b))
		return err
	}
	var wide [8]byte
	if size > 0 && b[size-1]&0x80 != 0 {
		wide = [8]byte{255, 255, 255, 255, 255, 255, 255, 255}
	}
	copy(wide[:], b)
	u.push(int64(binary.LittleEndian.Uint64(wide[:])))
	return nil
}

// remember stores the top of the stack, or loads what was stored, by an index of n bytes.
func (u *unpickler) remember(n uint64, store bool) error {
	i, err := u.number(n)
	if err != nil {
		return err
	}
	if store {
		return u.keep(uint32(i))
	}
	v, ok := u.memo[uint32(i)]
	if !ok {
		return fmt.Errorf("value %d is used before it is there", i)
	}
	u.push(v)
	return nil
}

// keep stores the top of the stack.
func (u *unpickler) keep(i uint32) error {
	if len(u.stack) == 0 {
		return errors.New("an opcode takes more values than there are")
	}
	u.memo[i] = u.stack[len(u.stack)-1]
	return nil
}

// knownNames are the classes and functions of plain tensors; [storageTypes] has those of
// storages.
var knownNames = map[pickleName]bool{
	nameOrdered: true, nameTensor: true, nameOldTensor: true, nameParameter: true,
}

// global pushes a name: two lines of the pickle, or two texts of the stack.
func (u *unpickler) global(stacked bool) error {
	var module, name string
	var err error
	if stacked {
		top, err := u.pop(2)
		if err != nil {
			return err
		}
		module, _ = top[0].(string)
		name, _ = top[1].(string)
	} else {
		if module, err = u.line(); err == nil {
			name, err = u.line()
		}
		if err != nil {
			return err
		}
	}
	full := pickleName(module + "." + name)
	if _, storage := storageTypes[full]; !storage && !knownNames[full] {
		return fmt.Errorf("it names %.200q: checkpoints of plain tensors do not, and this program runs nothing of a pickle. "+
			"Save the model with save_pretrained(..., safe_serialization=True) where you trust it", string(full))
	}
	u.push(full)
	return nil
}

// object does an opcode that makes an object, or gives it a state.
func (u *unpickler) object(op byte) error {
	if op == 'Q' { // BINPERSID
		top, err := u.pop(1)
		if err != nil {
			return err
		}
		v, err := u.persistent(top[0])
		u.push(v)
		return err
	}
	top, err := u.pop(2)
	if err != nil {
		return err
	}
	if op == 'b' { // BUILD: torch keeps versions of modules in an attribute of the dictionary
		state, ok := top[1].(*pickleDict)
		if _, dict := top[0].(*pickleDict); !ok || !dict || len(state.keys) != 1 || state.keys[0] != "_metadata" {
			return errors.New("opcode BUILD sets attributes: checkpoints of plain tensors set only _metadata, of a dictionary")
		}
		u.push(top[0])
		return nil
	}
	name, ok := top[0].(pickleName)
	args, tuple := top[1].(pickleTuple)
	if !ok || !tuple {
		return errors.New("opcode REDUCE calls something that is no function")
	}
	v, err := u.call(name, args)
	u.push(v)
	return err
}

// opcodeName is an opcode as Python's pickletools names it, where people know it.
func opcodeName(op byte) string {
	if name, ok := map[byte]string{
		'i': "INST", 'o': "OBJ", 0x81: "NEWOBJ", 0x92: "NEWOBJ_EX", 0x82: "EXT1", 0x83: "EXT2", 0x84: "EXT4",
		'P': "PERSID", '0': "POP", '1': "POP_MARK", '2': "DUP", 'I': "INT", 'L': "LONG", 'F': "FLOAT", 'S': "STRING",
		'V': "UNICODE", 'p': "PUT", 'g': "GET", 'd': "DICT", 'l': "LIST", 0x8B: "LONG4", 'B': "BINBYTES", 'C': "SHORT_BINBYTES",
		0x8D: "BINUNICODE8", 0x8E: "BINBYTES8", 0x8F: "EMPTY_SET", 0x90: "ADDITEMS", 0x91: "FROZENSET", 0x96: "BYTEARRAY8",
		0x97: "NEXT_BUFFER", 0x98: "READONLY_BUFFER",
	}[op]; ok {
		return name
	}
	return fmt.Sprintf("0x%02X", op)
}
