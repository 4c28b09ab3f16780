package kernel_test

import (
	"fmt"
	"math"
	"strings"

	"github.com/alia-network/alia/work/kernel"
)

// A matrix product on the fastest device of this processor. Open has compared the
// device's digests with the published ones, so the bits are those of every machine.
func ExampleOpen() {
	dev, err := kernel.Open("", 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	a := kernel.Tensor{Type: kernel.F32, Shape: []int{2, 3}, F: []float32{1, 2, 3, 4, 5, 6}}
	b := kernel.Tensor{Type: kernel.F32, Shape: []int{3, 1}, F: []float32{1, 0, 2}}
	c := kernel.New(kernel.F32, 2, 1)
	call := kernel.Call{Op: kernel.MatMul, In: []kernel.Tensor{a, b}, Out: []kernel.Tensor{c}}
	dev.Do(&call)
	fmt.Println(c.F, "for", kernel.Cost(&call), "operations")
	// Output: [7 16] for 12 operations
}

// The reference compared with the published digests of one operation.
func ExampleCompare() {
	dev, err := kernel.Open("portable", 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	agree, cases := 0, 0
	err = kernel.Compare(dev, func(name string, agrees bool) {
		if strings.HasPrefix(name, "MatMul ") {
			cases++
			if agrees {
				agree++
			}
		}
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("MatMul: %d of %d cases agree\n", agree, cases)
	// Output: MatMul: 18 of 18 cases agree
}

// The shape of a result, found without computing it.
func ExampleInfer() {
	x := kernel.Tensor{Type: kernel.F32, Shape: []int{7, 64}}
	w := kernel.Tensor{Type: kernel.F32, Shape: []int{64, 10}}
	out, err := kernel.Infer(kernel.MatMul, kernel.Attr{}, []kernel.Tensor{x, w})
	fmt.Println(out[0].Shape, err)

	_, err = kernel.Infer(kernel.MatMul, kernel.Attr{Trans: kernel.NT}, []kernel.Tensor{x, w})
	fmt.Println(err)
	// Output:
	// [7 10] <nil>
	// MatMul: inner dimensions differ: [7 64] [64 10]
}

// Exp has the same bits on every machine, which math.Exp does not promise.
func ExampleExp() {
	fmt.Printf("%08x\n", math.Float32bits(kernel.Exp(1)))
	// Output: 402df854
}
