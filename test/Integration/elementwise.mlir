// What is elementwise on tensors, before and after a lookup. Range analysis sees
// it before it becomes linalg operations: nothing is checked.
// RUN: embedding-opt %s --embedding-to-cpu-pipeline | FileCheck %s --check-prefix=CPU
// RUN: embedding-run %s --input="1000x16xf32=2" --input="3xi64=1003 5 -7" | FileCheck %s --check-prefix=RESULT
// RUN: embedding-run %s --naive --input="1000x16xf32=2" --input="3xi64=1003 5 -7" | FileCheck %s --check-prefix=RESULT

// CPU-NOT: embedding_report_out_of_range
// CPU: llvm.fadd %{{.*}} : vector<8xf32>
// RESULT: 3x16xf32=[6 6
// RESULT-NEXT: 3xi1=1 1 0

func.func @hashed(%table: tensor<1000x16xf32>, %ids: tensor<3xi64>) -> (tensor<3x16xf32>, tensor<3xi1>) {
  %c1000 = arith.constant dense<1000> : tensor<3xi64>
  %c0 = arith.constant dense<0> : tensor<3xi64>
  %hashed = arith.remui %ids, %c1000 : tensor<3xi64>
  %init = tensor.empty() : tensor<3x16xf32>
  %y = embedding.lookup ins(%table, %hashed : tensor<1000x16xf32>, tensor<3xi64>)
         outs(%init : tensor<3x16xf32>) -> tensor<3x16xf32>
  %square = arith.mulf %y, %y : tensor<3x16xf32>
  %sum = arith.addf %square, %y : tensor<3x16xf32>
  %is_positive = arith.cmpi sge, %ids, %c0 : tensor<3xi64>
  return %sum, %is_positive : tensor<3x16xf32>, tensor<3xi1>
}
