// Of no rows, and of a number that is negative, every index is out of range.
// RUN: embedding-run %s --function=i64 --input="3xi64=0 -1 5" --input=index=-1 | FileCheck %s
// RUN: embedding-run %s --function=i32 --input="3xi32=0 -1 5" --input=index=-1 | FileCheck %s
// RUN: embedding-run %s --function=i64 --input="3xi64=0 -1 5" --input=index=0 | FileCheck %s
// RUN: embedding-run %s --function=i32 --input="3xi32=0 -1 5" --input=index=0 | FileCheck %s
// RUN: embedding-run %s --function=i64 --input="3xi64=0 -1 5" --input=index=-1 --naive | FileCheck %s
// CHECK: i64=0
// CHECK-NEXT: i64=0
// CHECK-NEXT: i64=3

func.func @i64(%indices: tensor<?xi64>, %num_rows: index) -> (i64, i64, i64) {
  %position, %index, %count = embedding.find_out_of_range %indices, %num_rows : tensor<?xi64>
  return %position, %index, %count : i64, i64, i64
}

func.func @i32(%indices: tensor<?xi32>, %num_rows: index) -> (i64, i64, i64) {
  %position, %index, %count = embedding.find_out_of_range %indices, %num_rows : tensor<?xi32>
  return %position, %index, %count : i64, i64, i64
}
