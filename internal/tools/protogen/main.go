// Command protogen compiles the .proto files of a directory and writes the Go code beside them.
// It needs no protoc: the compiler is a library, and the code generator is the pinned protoc-gen-go.
//
//	protogen [-check] DIR
//
// With -check it writes nothing and fails if the committed code is not what it would write.
package main

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"

	"github.com/bufbuild/protocompile"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

func main() {
	check := flag.Bool("check", false, "write nothing; fail if the committed code is not current")
	flag.Parse()
	if flag.NArg() != 1 {
		fail(fmt.Errorf("usage: protogen [-check] DIR"))
	}
	dir := flag.Arg(0)
	files, err := generate(dir)
	if err != nil {
		fail(err)
	}
	for _, f := range files {
		if err := emit(filepath.Join(dir, f.GetName()), []byte(f.GetContent()), *check); err != nil {
			fail(err)
		}
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "protogen:", err)
	os.Exit(1)
}

func emit(path string, content []byte, check bool) error {
	if !check {
		return os.WriteFile(path, content, 0o644)
	}
	have, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if !bytes.Equal(have, content) {
		return fmt.Errorf("%s is not current: run make proto and commit the result", path)
	}
	return nil
}

// generate returns the Go files of every .proto file in dir, named relative to it.
func generate(dir string) ([]*pluginpb.CodeGeneratorResponse_File, error) {
	request, err := compile(dir)
	if err != nil {
		return nil, err
	}
	raw, err := proto.Marshal(request)
	if err != nil {
		return nil, err
	}
	plugin := exec.Command("go", "tool", "protoc-gen-go")
	plugin.Stdin, plugin.Stderr = bytes.NewReader(raw), os.Stderr
	out, err := plugin.Output()
	if err != nil {
		return nil, fmt.Errorf("protoc-gen-go: %w", err)
	}
	var response pluginpb.CodeGeneratorResponse
	if err := proto.Unmarshal(out, &response); err != nil {
		return nil, err
	}
	if response.Error != nil {
		return nil, fmt.Errorf("protoc-gen-go: %s", response.GetError())
	}
	return response.GetFile(), nil
}

func compile(dir string) (*pluginpb.CodeGeneratorRequest, error) {
	paths, err := filepath.Glob(filepath.Join(dir, "*.proto"))
	if err != nil {
		return nil, err
	}
	names := make([]string, 0, len(paths))
	for _, p := range paths {
		names = append(names, filepath.Base(p))
	}
	sort.Strings(names)
	compiler := protocompile.Compiler{
		Resolver:       protocompile.WithStandardImports(&protocompile.SourceResolver{ImportPaths: []string{dir}}),
		SourceInfoMode: protocompile.SourceInfoStandard,
	}
	linked, err := compiler.Compile(context.Background(), names...)
	if err != nil {
		return nil, err
	}
	request := &pluginpb.CodeGeneratorRequest{FileToGenerate: names, Parameter: proto.String("paths=source_relative")}
	seen := map[string]bool{}
	var add func(f *descriptorpb.FileDescriptorProto)
	byName := map[string]*descriptorpb.FileDescriptorProto{}
	for _, f := range linked {
		byName[f.Path()] = protodesc.ToFileDescriptorProto(f)
	}
	add = func(f *descriptorpb.FileDescriptorProto) {
		if f == nil || seen[f.GetName()] {
			return
		}
		seen[f.GetName()] = true
		for _, d := range f.Dependency {
			add(byName[d])
		}
		request.ProtoFile = append(request.ProtoFile, f)
	}
	for _, n := range names {
		add(byName[n])
	}
	return request, nil
}
