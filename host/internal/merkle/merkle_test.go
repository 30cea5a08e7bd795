package merkle

import (
	"encoding/hex"
	"fmt"
	"testing"
)

// The leaves and roots with which the implementations of Certificate Transparency have tested RFC 6962 since its authors'
// own.
var (
	knownLeaves = []string{"", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"}
	knownRoots  = []string{
		"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
		"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
		"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
		"aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
		"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
		"4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
		"76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
		"ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
		"5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
	}
	knownPaths = []struct {
		index, size int
		path        []string
	}{
		{0, 1, nil},
		{0, 8, []string{
			"96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
			"5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
			"6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4"}},
		{5, 8, []string{
			"bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
			"ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
			"d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"}},
		{2, 3, []string{"fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"}},
		{1, 5, []string{
			"6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
			"5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
			"bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"}},
	}
)

func known(t *testing.T, n int) []Hash {
	t.Helper()
	leaves := make([]Hash, n)
	for i := range leaves {
		data, err := hex.DecodeString(knownLeaves[i])
		if err != nil {
			t.Fatal(err)
		}
		leaves[i] = Leaf(data)
	}
	return leaves
}

func TestKnownRoots(t *testing.T) {
	for n, want := range knownRoots {
		if got := New(known(t, n)).Root().String(); got != want {
			t.Errorf("%d leaves: got %s, want %s", n, got, want)
		}
	}
}

func TestKnownPaths(t *testing.T) {
	for _, k := range knownPaths {
		got := New(known(t, k.size)).Path(k.index)
		if fmt.Sprint(got) != fmt.Sprint(k.path) {
			t.Errorf("leaf %d of %d: got %v, want %v", k.index, k.size, got, k.path)
		}
	}
}

// Every leaf of every size has a proof, which proves nothing else.
func TestPathsProveTheirLeafAlone(t *testing.T) {
	for size := 1; size <= 70; size++ {
		leaves := make([]Hash, size)
		for i := range leaves {
			leaves[i] = Leaf([]byte{byte(i)})
		}
		tree := New(leaves)
		for i := range size {
			path, n := tree.Path(i), int64(size)
			if !Verify(leaves[i], int64(i), n, path, tree.Root()) {
				t.Fatalf("leaf %d of %d: its path does not lead to the root", i, size)
			}
			if len(path) > 0 {
				other := append([]Hash{}, path...)
				other[len(other)-1][0] ^= 1
				if Verify(leaves[i], int64(i), n, other, tree.Root()) || Verify(leaves[i], int64(i), n, path[1:], tree.Root()) {
					t.Fatalf("leaf %d of %d: a path of other hashes leads to the root", i, size)
				}
			}
			if Verify(Leaf([]byte("x")), int64(i), n, path, tree.Root()) || Verify(leaves[i], int64(i), n, append(path, Hash{}), tree.Root()) ||
				Verify(leaves[i], n, n, path, tree.Root()) || Verify(leaves[i], -1, n, path, tree.Root()) {
				t.Fatalf("leaf %d of %d: something else is proven too", i, size)
			}
		}
	}
}

func TestSetIsTheTreeMadeAnew(t *testing.T) {
	for size := 1; size <= 33; size++ {
		tree := New(make([]Hash, size))
		leaves := make([]Hash, size)
		for i := range size {
			leaves[i] = Leaf([]byte{byte(i)})
			tree.Set(i, leaves[i])
			if got, want := tree.Root(), New(append([]Hash{}, leaves...)).Root(); got != want {
				t.Fatalf("leaf %d of %d: got %s, want %s", i, size, got, want)
			}
		}
	}
}

func TestParse(t *testing.T) {
	want := Leaf([]byte("a"))
	if got, err := Parse(want.String()); err != nil || got != want {
		t.Errorf("got %s, %v, want %s", got, err, want)
	}
	for _, in := range []string{"", "ab", want.String() + "0", "zz" + want.String()[2:]} {
		if got, err := Parse(in); err == nil {
			t.Errorf("%q: got %s, want an error", in, got)
		}
	}
}
