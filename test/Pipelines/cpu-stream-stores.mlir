// Rows of large outputs go around the caches, in vectors as wide as their
// alignment allows.
// RUN: %if x86_64 %{ embedding-run %s --function=lookup_512 --emit=asm --cpu=x86-64-v4 | FileCheck %s --check-prefix=WHOLE %}
// RUN: %if x86_64 %{ embedding-run %s --function=lookup_400 --emit=asm --cpu=x86-64-v4 | FileCheck %s --check-prefix=PART %}
// RUN: embedding-opt %s --embedding-to-cpu-pipeline=stream-stores=false | FileCheck %s --check-prefix=OFF

// OFF-NOT: nontemporal
// WHOLE-LABEL: lookup_512:
// WHOLE-COUNT-8: vmovnt{{[a-z]+}} %zmm
// WHOLE: {{mfence|lock}}
func.func @lookup_512(%table: memref<?x128xf32>, %indices: memref<?xi64>, %out: memref<?x128xf32>) {
  embedding.lookup out_of_range(assume)
    ins(%table, %indices : memref<?x128xf32>, memref<?xi64>) outs(%out : memref<?x128xf32>)
  return
}

// PART-LABEL: lookup_400:
// PART-COUNT-25: vmovnt{{[a-z]+}} %xmm
// PART: {{mfence|lock}}
func.func @lookup_400(%table: memref<?x100xf32>, %indices: memref<?xi64>, %out: memref<?x100xf32>) {
  embedding.lookup out_of_range(assume)
    ins(%table, %indices : memref<?x100xf32>, memref<?xi64>) outs(%out : memref<?x100xf32>)
  return
}
